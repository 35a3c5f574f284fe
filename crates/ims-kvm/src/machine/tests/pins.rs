// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The single interrupt, and what KVM counts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use super::super::{Bus, MMIO, Machine, MachineError, Pin};
use super::support::{Nothing, SMALL, machine, wait};

/// Status of a device, bits cleared by writing them to the register after it.
#[derive(Default)]
struct Status {
    bits: Mutex<u32>,
    pin: OnceLock<Pin>,
    reads: AtomicU64,
    writes: AtomicU64,
}

impl Status {
    fn raise(&self, bits: u32) {
        self.change(|status| status | bits);
    }

    /// The pin follows the bits, in their order.
    fn change(&self, change: impl FnOnce(u32) -> u32) {
        let mut bits = self.bits.lock().unwrap();
        let before = *bits;
        *bits = change(before);
        if (before == 0) != (*bits == 0) {
            self.pin.get().unwrap().set(*bits != 0).unwrap();
        }
    }
}

impl Bus for Status {
    fn read(&self, _: u32, address: u64, into: &mut [u8]) {
        assert_eq!((address, into.len()), (MMIO.start + 0x60, 4));
        self.reads.fetch_add(1, Ordering::SeqCst);
        into.copy_from_slice(&self.bits.lock().unwrap().to_le_bytes());
    }

    fn write(&self, _: u32, address: u64, from: &[u8]) {
        assert_eq!(address, MMIO.start + 0x64);
        self.writes.fetch_add(1, Ordering::SeqCst);
        let seen = u32::from_le_bytes(from.try_into().unwrap());
        self.change(|status| status & !seen);
    }
}

/// A post, the pin, and the handler on `cpu` that took it.
fn interrupt(machine: &Machine, status: &Status, cpu: u32, vector: u8, count: u64) {
    assert!(machine.post(0));
    status.raise(1);
    wait("the interrupt", || machine.taken(0) == count);
    wait("acknowledgement", || *status.bits.lock().unwrap() == 0);
    wait("its end", || !machine.in_handler(cpu, vector));
}

#[test]
fn a_pin_interrupts_the_cpu_it_is_routed_to_and_no_other() {
    let test = "pins::a_pin_interrupts_the_cpu_it_is_routed_to_and_no_other";
    let status = Arc::new(Status::default());
    let Some(machine) = machine(test, SMALL, status.clone()) else {
        return;
    };
    status.pin.set(machine.pin(20).unwrap()).unwrap();
    machine.acknowledges(0x55, MMIO.start + 0x60);
    for cpu in 0..4 {
        machine.scan(cpu, 0x55, 0, 1);
    }
    let mut count = 0;
    for cpu in [2, 1] {
        machine.route_pin(0, 20, cpu, 0x55).unwrap();
        for _ in 0..50 {
            count += 1;
            interrupt(&machine, &status, cpu, 0x55, count);
        }
    }
    for (cpu, expected) in [(0, 0), (1, 50), (2, 50), (3, 0)] {
        // A KVM that emulates may deliver a level again that was not yet taken back;
        // its handler finds nothing, and may be at work still.
        wait("as many accesses as handlers", || {
            let exits = machine.exits(cpu);
            // Those that find nothing acknowledge nothing.
            exits.reads == machine.interrupts(cpu, 0x55) && exits.writes <= exits.reads
        });
        let found = machine.interrupts(cpu, 0x55) - machine.empty(cpu, 0x55);
        assert!(found <= expected && (found > 0) == (expected > 0), "{cpu}");
    }
    assert_eq!(machine.taken(0), 100);
    let accesses: u64 = (0..4).map(|cpu| machine.exits(cpu).reads).sum();
    assert_eq!(status.reads.load(Ordering::SeqCst), accesses);
    assert_eq!(status.writes.load(Ordering::SeqCst), 100);
}

#[test]
fn there_are_pins_in_the_kernel_only() {
    let test = "pins::there_are_pins_in_the_kernel_only";
    let Some(machine) = machine(test, SMALL, Arc::new(Nothing)) else {
        return;
    };
    assert!(machine.pin(23).is_ok());
    let refused = machine.pin(24);
    assert!(matches!(refused, Err(MachineError::NoSuchPin { pin: 24 })));
    assert!(machine.route_pin(0, 24, 0, 0x55).is_err());
    // Its own vector is not taken away from the mailbox.
    machine.acknowledges(0x20, MMIO.start);
    assert!(machine.guest_read(0, machine.words_memory(), 8).is_ok());
}

#[test]
fn kvm_counts_the_same_accesses() {
    const TEST: &str = "pins::kvm_counts_the_same_accesses";
    let Some(machine) = machine(TEST, SMALL, Arc::new(Nothing)) else {
        return;
    };
    let Some(statistics) = machine.statistics(3) else {
        eprintln!("SKIPPED machine::tests::{TEST}: this kernel has no KVM_GET_STATS_FD");
        return;
    };
    assert_eq!(statistics.get("no such name"), None);
    assert!(statistics.names().any(|name| name == "exits"));
    let counted = |name| statistics.get(name).unwrap();
    let (exits, mmio) = (counted("exits"), counted("mmio_exits"));
    for _ in 0..10 {
        machine.guest_write(3, MMIO.start, 1, 4).unwrap();
        machine.guest_read(3, MMIO.start, 4).unwrap();
    }
    let own = machine.exits(3);
    assert_eq!((own.reads, own.writes), (10, 10));
    assert_eq!(counted("mmio_exits") - mmio, 20);
    assert!(counted("exits") - exits >= 20);
    let others = machine.statistics(2).unwrap();
    assert_eq!(others.get("mmio_exits"), Some(0));
    machine.stop();
    assert!(counted("mmio_exits") >= 20, "also of a vCPU that is gone");
}
