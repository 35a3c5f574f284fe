// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Guest code programs a store and its remap table on a real machine.
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

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use ims::domain::Raised;
use ims::message::{DeliveryMode, Destination, Remappable, RequesterId};
use ims::remap::{ApicMode, Entry, FaultReason, Source, Target};
use ims::sink::Refusal;
use ims_kvm::guest_ims::layout::{self, REMAP, SLOTS, remap, store};
use ims_kvm::machine::{Bus, Config, Irqchip, MMIO, Machine, MachineError};
use ims_kvm::{
    Composer, GuestIms, GuestRemap, Interrupts, Options, Pins, RemapOptions, Signal, Vcpus,
};

const VCPUS: u32 = 4;
const DEVICE: RequesterId = RequesterId(0x0208);
const STRANGER: RequesterId = RequesterId(0x0310);
/// Vectors of each vCPU that entries lead to.
const FIRST_VECTOR: u32 = 0x30;
const VECTORS: u32 = 40;
/// Where the second device's BAR is.
const SECOND: u64 = 0x40_0000;

/// The BARs of two devices, once the machine is there.
#[derive(Default)]
struct Devices(OnceLock<[GuestIms; 2]>);

impl Devices {
    /// Which device, and where in its BAR.
    fn at(&self, address: u64) -> Option<(&GuestIms, u64)> {
        let offset = address.checked_sub(MMIO.start)?;
        let devices = self.0.get()?;
        Some((&devices[usize::from(offset >= SECOND)], offset % SECOND))
    }
}

impl Bus for Devices {
    fn read(&self, _cpu: u32, address: u64, into: &mut [u8]) {
        match self.at(address) {
            Some((device, offset)) => device.read(offset, into),
            None => into.fill(0xff),
        }
    }

    fn write(&self, _cpu: u32, address: u64, from: &[u8]) {
        if let Some((device, offset)) = self.at(address) {
            device.write(offset, from);
        }
    }
}

struct Guest {
    machine: Machine,
    bus: Arc<Devices>,
}

impl Guest {
    /// A machine with a device of `slots` slots and another one; `None` without KVM.
    fn or_skip(name: &str, slots: u32, sources: u32) -> Option<Self> {
        let bus = Arc::<Devices>::default();
        let config = Config {
            vcpus: VCPUS,
            irqchip: Irqchip::InKernel,
            x2apic: true,
            words: sources.div_ceil(64),
            memory: 2 << 20,
            notify: false,
        };
        let machine = match Machine::start(config, Arc::clone(&bus) as Arc<dyn Bus>) {
            Ok(machine) => machine,
            Err(error @ (MachineError::NoKvm(_) | MachineError::Lacks { .. })) => {
                eprintln!("SKIPPED {name}: {error}");
                return None;
            }
            Err(error) => panic!("{error}"),
        };
        let composer = Composer {
            addressing: machine.addressing(),
            device_ids: false,
        };
        let vcpus = Vcpus::new(Signal::new(Arc::clone(machine.vm()), composer));
        let memory = Arc::new(machine.memory().clone());
        let unit = GuestRemap::new(memory, vcpus, RemapOptions::default());
        let devices = [(DEVICE, slots), (STRANGER, 64)];
        let devices = devices.map(|(requester, slots)| unit.store(requester, slots).unwrap());
        assert!(devices[0].bar_bytes() <= SECOND);
        assert!(bus.0.set(devices).is_ok());
        Some(Self { machine, bus })
    }

    fn device(&self) -> &GuestIms {
        &self.bus.0.get().unwrap()[0]
    }

    fn stranger(&self) -> &GuestIms {
        &self.bus.0.get().unwrap()[1]
    }

    /// Guest code writes; the vCPUs take turns.
    fn write(&self, cpu: u64, address: u64, value: u64, bytes: u8) {
        let cpu = (cpu % u64::from(VCPUS)) as u32;
        self.machine
            .guest_write(cpu, address, value, bytes)
            .unwrap();
    }

    fn read(&self, address: u64, bytes: u8) -> u64 {
        self.machine.guest_read(0, address, bytes).unwrap()
    }

    /// The guest looks at what it has, names its table and enables all.
    fn enable(&self, size: u64) {
        assert_eq!(self.read(MMIO.start, 4) as u32, store::MAGIC);
        assert_eq!(self.read(MMIO.start + REMAP, 4) as u32, remap::MAGIC);
        let slots = self.read(MMIO.start + store::SLOTS * 8, 4);
        assert_eq!(slots, u64::from(self.device().slots()));
        let register = |register: u64| MMIO.start + REMAP + register * 8;
        let table = self.machine.own_memory() | remap::TABLE_EXTENDED | size;
        self.write(0, register(remap::TABLE), table, 8);
        self.write(0, register(remap::CONTROL), layout::ENABLE, 4);
        for device in [0, SECOND] {
            let control = MMIO.start + device + store::CONTROL * 8;
            self.write(1, control, layout::ENABLE, 4);
        }
    }

    /// Guest code writes an entry to its memory: upper half, then the lower.
    fn grant(&self, entry: u64, to: RequesterId, cpu: u32, vector: u8) {
        let bits = bits(to, self.machine.apic_id(cpu), vector);
        let at = self.machine.own_memory() + entry * 16;
        self.write(entry, at + 8, (bits >> 64) as u64, 8);
        self.write(entry, at, bits as u64, 8);
    }

    /// Guest code gives a slot its message, dword by dword, control last.
    fn program(&self, bar: u64, slot: u64, handle: u16) {
        let message = Remappable {
            handle,
            subhandle: None,
        }
        .encode();
        let at = MMIO.start + bar + SLOTS + slot * 16;
        let words = [
            message.address & 0xffff_ffff,
            message.address >> 32,
            message.data.into(),
            0,
        ];
        for (word, at) in words.into_iter().zip((at..).step_by(4)) {
            self.write(slot, at, word, 4);
        }
    }

    /// Until the guest's handlers have taken what was posted.
    fn until(&self, what: &str, mut come: impl FnMut() -> bool) {
        let end = Instant::now() + Duration::from_secs(120);
        while !come() {
            assert!(Instant::now() < end, "{what}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

fn bits(to: RequesterId, cpu: u32, vector: u8) -> u128 {
    let entry = Entry {
        source: Source::exactly(to),
        fpd: false,
        target: Target::Remapped {
            destination: Destination {
                id: cpu,
                logical: false,
                redirection_hint: false,
            },
            vector,
            delivery: DeliveryMode::Fixed,
            trigger_level: false,
        },
    };
    entry.encode(ApicMode::X2apic).unwrap().0
}

/// The vCPU and vector of a source's entry: sources of one word share them.
fn target(source: u32) -> (u32, u8) {
    let word = source / 64;
    let vector = FIRST_VECTOR + word / VCPUS % VECTORS;
    (word % VCPUS, vector as u8)
}

#[test]
fn guest_code_programs_5000_slots_and_counts_each_interrupt_once() {
    const NAME: &str = "guest_code_programs_5000_slots_and_counts_each_interrupt_once";
    const COUNT: u32 = 5000;
    let Some(guest) = Guest::or_skip(NAME, COUNT, COUNT) else {
        return;
    };
    // 8192 entries.
    guest.enable(12);
    for source in 0..COUNT {
        let (cpu, vector) = target(source);
        if source % 64 == 0 {
            guest.machine.scan(cpu, vector, source / 64, 1);
        }
        guest.grant(source.into(), DEVICE, cpu, vector);
        guest.program(0, source.into(), source as u16);
    }
    let port = guest.device().port();
    for round in 1..=2 {
        for source in 0..COUNT {
            assert!(guest.machine.post(source), "taken before");
            assert!(matches!(port.raise(source), Raised::Sent(_)), "{source}");
        }
        guest.until("not all were taken", || {
            (0..COUNT).all(|source| guest.machine.taken(source) >= round)
        });
        for source in 0..COUNT {
            assert_eq!(guest.machine.taken(source), round, "source {source}");
        }
    }
    for source in 0..COUNT {
        let counts = port.counts(source).unwrap();
        assert_eq!((counts.raised, counts.handed_over), (2, 2));
    }
    assert_eq!(guest.device().remap().fault_counts().total(), 0);
    // What interrupts there were came by the vectors that the table names.
    let interrupts: u64 = (0..VCPUS)
        .flat_map(|cpu| (0x21..=255).map(move |vector| (cpu, vector)))
        .filter(|&(cpu, vector)| {
            !(0..COUNT.div_ceil(64)).any(|word| target(word * 64) == (cpu, vector))
        })
        .map(|(cpu, vector)| guest.machine.interrupts(cpu, vector))
        .sum();
    assert_eq!(interrupts, 0, "a vector that nobody was given");
}

#[test]
fn a_foreign_entry_faults_and_the_guest_reads_the_record() {
    const NAME: &str = "a_foreign_entry_faults_and_the_guest_reads_the_record";
    let Some(guest) = Guest::or_skip(NAME, 64, 64) else {
        return;
    };
    guest.enable(7);
    guest.machine.scan(1, 0x55, 0, 1);
    guest.grant(9, DEVICE, 1, 0x55);
    guest.program(SECOND, 3, 9);
    let refused = Raised::Refused(Refusal::Fault(FaultReason::SourceId));
    assert_eq!(guest.stranger().port().raise(3), refused);

    let register = |register: u64| MMIO.start + REMAP + register * 8;
    let status = register(remap::FAULT_STATUS);
    assert_eq!(guest.read(status, 4), remap::PENDING);
    let high = guest.read(register(remap::FAULT_HIGH), 8);
    assert_ne!(high & remap::FAULT, 0);
    assert_eq!((high >> 32) as u8, 0x26);
    assert_eq!(high as u16, STRANGER.0);
    assert_eq!(guest.read(register(remap::FAULT_LOW), 8) >> 48, 9, "index");
    assert_eq!(guest.read(register(remap::FAULTS), 8), 1);
    // Only the dword with F.
    let last = register(remap::FAULT_HIGH) + 4;
    guest.write(0, last, remap::FAULT >> 32, 4);
    assert_eq!(guest.read(status, 4), 0);
    assert_eq!(guest.machine.interrupts(1, 0x55), 0);

    // Its owner is not hindered.
    guest.program(0, 3, 9);
    assert!(guest.machine.post(5));
    assert!(matches!(guest.device().port().raise(3), Raised::Sent(_)));
    guest.until("not taken", || guest.machine.taken(5) == 1);
    assert_eq!(guest.machine.interrupts(1, 0x55), 1);
}

#[test]
fn after_a_retarget_and_a_sync_only_the_new_vcpu_takes_interrupts() {
    const NAME: &str = "after_a_retarget_and_a_sync_only_the_new_vcpu_takes_interrupts";
    const ROUNDS: u64 = 50;
    let Some(guest) = Guest::or_skip(NAME, 64, 64) else {
        return;
    };
    guest.enable(7);
    for cpu in 0..VCPUS {
        guest.machine.scan(cpu, 0x66, 0, 1);
    }
    guest.grant(1, DEVICE, 0, 0x66);
    guest.program(0, 0, 1);
    let port = guest.device().port();
    let taken = |cpu: u32| guest.machine.interrupts(cpu, 0x66);
    for round in 1..=ROUNDS {
        let cpu = (round % u64::from(VCPUS)) as u32;
        let low = bits(DEVICE, guest.machine.apic_id(cpu), 0x66) as u64;
        guest.write(round, guest.machine.own_memory() + 16, low, 8);
        guest.write(round, MMIO.start + REMAP + remap::SYNC * 8, 1, 4);
        let before: Vec<u64> = (0..VCPUS).map(taken).collect();
        assert!(guest.machine.post(0));
        assert!(matches!(port.raise(0), Raised::Sent(_)));
        guest.until("not taken", || guest.machine.taken(0) == round);
        for (at, before) in (0..VCPUS).zip(before) {
            let expected = before + u64::from(at == cpu);
            assert_eq!(taken(at), expected, "vCPU {at} in round {round}");
        }
    }
}

#[test]
fn a_masked_slot_is_pending_for_guest_code_and_comes_when_it_unmasks() {
    const NAME: &str = "a_masked_slot_is_pending_for_guest_code_and_comes_when_it_unmasks";
    let Some(guest) = Guest::or_skip(NAME, 3000, 64) else {
        return;
    };
    guest.enable(7);
    guest.machine.scan(2, 0x77, 0, 1);
    guest.grant(1, DEVICE, 2, 0x77);
    let control = MMIO.start + SLOTS + 2999 * 16 + 12;
    let port = guest.device().port();
    // Before the guest has touched it.
    assert!(guest.machine.post(7));
    assert_eq!(port.raise(2999), Raised::Held);
    assert_eq!(guest.read(control, 4), 3);
    guest.program(0, 2999, 1);
    guest.until("not taken", || guest.machine.taken(7) == 1);
    assert_eq!(guest.read(control, 4), 0);
    guest.write(3, control, 1, 4);
    assert!(guest.machine.post(7));
    assert_eq!(port.raise(2999), Raised::Held);
    assert_eq!(port.raise(2999), Raised::Met);
    assert_eq!(guest.read(control, 4), 3);
    assert_eq!(guest.machine.taken(7), 1);
    guest.write(0, control, 0, 4);
    guest.until("not taken", || guest.machine.taken(7) == 2);
    assert_eq!(guest.machine.interrupts(2, 0x77), 2);
}

#[test]
fn eventfds_of_slots_are_forwarded_through_the_guests_table() {
    const NAME: &str = "eventfds_of_slots_are_forwarded_through_the_guests_table";
    let Some(guest) = Guest::or_skip(NAME, 4096, 64) else {
        return;
    };
    guest.enable(7);
    guest.machine.scan(3, 0x44, 0, 1);
    guest.grant(2, DEVICE, 3, 0x44);
    guest.program(0, 4095, 2);
    let options = Options {
        pins: Pins::InKernel,
        addressing: guest.machine.addressing(),
        gsis: None,
    };
    let interrupts = Interrupts::new(Arc::clone(guest.machine.vm()), options).unwrap();
    let lines = guest.device().lines(&interrupts);
    let eventfd = lines.eventfd(4095).unwrap();
    for round in 1..=20 {
        assert!(guest.machine.post(0));
        eventfd.write(1).unwrap();
        guest.until("not taken", || guest.machine.taken(0) == round);
    }
    assert_eq!(guest.machine.interrupts(3, 0x44), 20);
    // The grant is taken back: what comes now is a fault, and no irqfd's to deliver.
    guest.write(0, guest.machine.own_memory() + 2 * 16, 0, 8);
    guest.write(0, MMIO.start + store::SYNC * 8, 1, 4);
    eventfd.write(1).unwrap();
    let remap = guest.device().remap();
    guest.until("no fault", || {
        remap.fault_counts().of(FaultReason::NotPresent) == 1
    });
    assert_eq!(guest.machine.interrupts(3, 0x44), 20);
    assert_eq!(interrupts.report().promoted, 0);
}
