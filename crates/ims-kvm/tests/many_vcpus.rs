// SPDX-License-Identifier: Apache-2.0 OR MIT
//! More vCPUs than an xAPIC can name, an I/O APIC in the VMM, and both forms of
//! destination: raised by message, through a forwarded eventfd, and as an irqfd.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    unreachable_pub,
    dead_code,
    reason = "a test"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use ims::message::{
    Addressing, Compatibility, DeliveryMode, Destination, Message, RequesterId, Trigger,
};
use ims::msix::{BarOffset, MsixConfig};
use ims_kvm::machine::{Bus, Config, Irqchip, Machine, MachineError};
use ims_kvm::{Composer, Interrupts, MsixDevice, Options, Pins};
use kvm_ioctls::VmFd;

const VCPUS: u32 = 300;
const PINS: u8 = 24;
const VECTOR: u8 = 0x51;
const PIN_VECTOR: u8 = 0x61;

struct Nothing;

impl Bus for Nothing {}

/// A machine whose vCPU n scans word n at [`VECTOR`]; `None` without KVM.
fn or_skip(name: &str) -> Option<Machine> {
    let config = Config {
        vcpus: VCPUS,
        irqchip: Irqchip::Split(PINS),
        x2apic: true,
        words: VCPUS + 1,
        memory: 0,
        notify: false,
    };
    match Machine::start(config, Arc::new(Nothing)) {
        Ok(machine) => {
            (0..VCPUS).for_each(|cpu| machine.scan(cpu, VECTOR, cpu, 1));
            Some(machine)
        }
        Err(error @ (MachineError::NoKvm(_) | MachineError::Lacks { .. })) => {
            eprintln!("SKIPPED {name}: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn interrupts(machine: &Machine, addressing: Addressing) -> Interrupts<VmFd> {
    let options = Options {
        pins: Pins::Split(PINS.into()),
        addressing,
        gsis: None,
    };
    Interrupts::new(Arc::clone(machine.vm()), options).unwrap()
}

fn message(cpu: u32, vector: u8, addressing: Addressing) -> Message {
    let message = Compatibility {
        destination: Destination {
            id: cpu,
            logical: false,
            redirection_hint: false,
        },
        delivery: DeliveryMode::Fixed,
        trigger: Trigger::Edge,
        vector,
    };
    message.encode(addressing).unwrap()
}

/// Vector n of the device reaches vCPU n.
fn device(interrupts: &Interrupts<VmFd>, addressing: Addressing) -> MsixDevice {
    let config = MsixConfig {
        vectors: VCPUS as u16,
        table: BarOffset { bir: 0, offset: 0 },
        pba: BarOffset { bir: 1, offset: 0 },
    };
    let mut device = interrupts.msix(config, RequesterId(0x100)).unwrap();
    for vector in 0..VCPUS as u16 {
        let message = message(vector.into(), VECTOR, addressing);
        device.program(vector, message, false).unwrap();
    }
    device
}

/// Posts every vCPU's source, fires, and waits until each has counted once more.
fn each_takes_one(machine: &Machine, times: u64, fire: impl Fn(u16)) {
    for cpu in 0..VCPUS {
        assert!(machine.post(cpu * 64));
        fire(cpu as u16);
    }
    let start = Instant::now();
    // A handler takes the bit first, and counts it then.
    while (0..VCPUS).any(|cpu| machine.taken(cpu * 64) < times) {
        assert!(start.elapsed() < Duration::from_secs(60), "not taken");
        std::thread::sleep(Duration::from_millis(1));
    }
    for cpu in 0..VCPUS {
        assert_eq!(machine.taken(cpu * 64), times, "vCPU {cpu}");
    }
}

fn every_vcpu_takes_its_interrupts(name: &str, addressing: Addressing) {
    let Some(machine) = or_skip(name) else { return };
    let interrupts = interrupts(&machine, addressing);
    let mut device = device(&interrupts, addressing);
    device.set_enabled(true);

    let port = device.port();
    each_takes_one(&machine, 1, |vector| {
        let _ = port.raise(vector);
    });
    // Not one commit while it is open, so all of these are forwarded.
    let batch = interrupts.batch();
    let eventfds: Vec<_> = (0..VCPUS as u16)
        .map(|vector| device.eventfd(vector).unwrap())
        .collect();
    let write = |vector: u16| eventfds[usize::from(vector)].write(1).unwrap();
    each_takes_one(&machine, 2, write);
    assert_eq!(interrupts.report().forwarded, u64::from(VCPUS));
    assert_eq!(interrupts.report().commits, 0);
    device.want_routes();
    batch.commit().unwrap();
    assert_eq!(interrupts.report().promoted, u64::from(VCPUS));
    each_takes_one(&machine, 3, write);
    assert_eq!(interrupts.report().forwarded, u64::from(VCPUS));
    assert_eq!(interrupts.report().signalled.refused, 0);
}

#[test]
fn three_hundred_vcpus_take_interrupts_with_extended_destinations() {
    every_vcpu_takes_its_interrupts(
        "three_hundred_vcpus_take_interrupts_with_extended_destinations",
        Addressing::Extended,
    );
}

#[test]
fn three_hundred_vcpus_take_interrupts_with_destinations_of_32_bits() {
    every_vcpu_takes_its_interrupts(
        "three_hundred_vcpus_take_interrupts_with_destinations_of_32_bits",
        Addressing::X2apic,
    );
}

#[test]
fn a_pin_of_the_vmms_io_apic_keeps_its_route_beside_vectors() {
    const NAME: &str = "a_pin_of_the_vmms_io_apic_keeps_its_route_beside_vectors";
    const CPU: u32 = 299;
    const PIN: u32 = 5;
    let Some(machine) = or_skip(NAME) else { return };
    let interrupts = interrupts(&machine, Addressing::Extended);
    machine.scan(CPU, PIN_VECTOR, VCPUS, 1);
    let composer = Composer {
        addressing: Addressing::Extended,
        device_ids: false,
    };
    let at = message(CPU, PIN_VECTOR, Addressing::Extended);
    let pin = composer.route(PIN, RequesterId(0), at).unwrap();
    interrupts.set_pins(&[pin]).unwrap();

    let mut device = device(&interrupts, Addressing::Extended);
    let eventfd = device.eventfd(7).unwrap();
    device.set_enabled(true);
    interrupts.batch().commit().unwrap();
    let report = interrupts.report();
    assert_eq!((report.routes, report.promoted), (2, 1), "{report:?}");

    let source = VCPUS * 64;
    assert!(machine.post(source) && machine.post(7 * 64));
    machine.vm().set_irq_line(PIN, true).unwrap();
    machine.vm().set_irq_line(PIN, false).unwrap();
    eventfd.write(1).unwrap();
    let start = Instant::now();
    while machine.taken(source) < 1 || machine.taken(7 * 64) < 1 {
        assert!(start.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(1));
    }
    // One more than KVM would take is refused, and nothing changes.
    let far = composer.route(1 << 20, RequesterId(0), at).unwrap();
    assert!(interrupts.set_pins(&[far]).is_err());
    assert!(machine.post(source));
    machine.vm().set_irq_line(PIN, true).unwrap();
    let start = Instant::now();
    while machine.taken(source) < 2 {
        assert!(start.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(1));
    }
}
