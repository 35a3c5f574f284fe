// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Accesses of guest code, to the bus and to what is not there.

use std::sync::{Arc, Mutex, OnceLock, Weak};

use vm_memory::{Bytes, GuestAddress};

use super::super::{Bus, Config, MMIO, Machine, MachineError, Stopped};
use super::support::{Nothing, SMALL, machine, send, signal};

/// An access that reached the bus.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Seen {
    Read(u32, u64, usize),
    Write(u32, u64, Vec<u8>),
}

/// Notes accesses; reads give the bytes of the address, counted on.
#[derive(Default)]
struct Notes(Mutex<Vec<Seen>>);

impl Notes {
    fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Bus for Notes {
    fn read(&self, cpu: u32, address: u64, into: &mut [u8]) {
        for (byte, value) in into.iter_mut().zip(0xa1..) {
            *byte = value;
        }
        let seen = Seen::Read(cpu, address, into.len());
        self.0.lock().unwrap().push(seen);
    }

    fn write(&self, cpu: u32, address: u64, from: &[u8]) {
        let seen = Seen::Write(cpu, address, from.to_vec());
        self.0.lock().unwrap().push(seen);
    }
}

#[test]
fn accesses_reach_the_bus_with_their_width_and_value() {
    let test = "accesses::accesses_reach_the_bus_with_their_width_and_value";
    let notes = Arc::new(Notes::default());
    let Some(machine) = machine(test, SMALL, notes.clone()) else {
        return;
    };
    let value = 0x1122_3344_5566_7788_u64;
    for cpu in 0..4 {
        for width in [1, 2, 4, 8_u8] {
            let bytes = usize::from(width);
            let at = MMIO.start + u64::from(cpu) * 0x1000 + u64::from(width);
            machine.guest_write(cpu, at, value, width).unwrap();
            let written = value.to_le_bytes()[..bytes].to_vec();
            assert_eq!(notes.take(), [Seen::Write(cpu, at, written)]);

            let read = machine.guest_read(cpu, at, width).unwrap();
            let mut expected = [0; 8];
            for (byte, value) in expected[..bytes].iter_mut().zip(0xa1..) {
                *byte = value;
            }
            assert_eq!(read, u64::from_le_bytes(expected));
            assert_eq!(notes.take(), [Seen::Read(cpu, at, bytes)]);
        }
        let exits = machine.exits(cpu);
        assert_eq!((exits.reads, exits.writes, exits.commands), (4, 4, 8));
    }
    let refused = machine.guest_write(0, MMIO.start, 0, 3);
    assert!(matches!(refused, Err(MachineError::Width { bytes: 3 })));
    let refused = machine.guest_read(4, MMIO.start, 4);
    assert!(matches!(
        refused,
        Err(MachineError::NoSuchVcpu { cpu: 4, vcpus: 4 })
    ));
}

#[test]
fn guest_memory_is_the_file() {
    let test = "accesses::guest_memory_is_the_file";
    let config = Config {
        memory: 3 << 20,
        ..SMALL
    };
    let Some(machine) = machine(test, config, Arc::new(Nothing)) else {
        return;
    };
    let own = machine.own_memory();
    assert_eq!(own % (2 << 20), 0);
    machine
        .guest_write(1, own + 8, 0x1234_5678_9abc, 8)
        .unwrap();
    let seen: u64 = machine.memory().read_obj(GuestAddress(own + 8)).unwrap();
    assert_eq!(seen, 0x1234_5678_9abc);
    let mut bytes = [0; 8];
    rustix::io::pread(machine.memory_file(), &mut bytes, own + 8).unwrap();
    assert_eq!(u64::from_le_bytes(bytes), 0x1234_5678_9abc);
    let last = own + (3 << 20) - 4;
    machine
        .memory()
        .write_obj(0x55aa_u32, GuestAddress(last))
        .unwrap();
    assert_eq!(machine.guest_read(3, last, 4).unwrap(), 0x55aa);
}

/// Has a vCPU fault; its neighbour must not mind.
fn fault(machine: &Machine, cpu: u32, address: u64) -> Stopped {
    let error = machine.guest_write(cpu, address, 1, 4).unwrap_err();
    let MachineError::Stopped { cpu: told, why } = error else {
        panic!("{error}");
    };
    assert_eq!(told, cpu);
    let again = machine.guest_read(cpu, MMIO.start, 4);
    assert!(matches!(again, Err(MachineError::Stopped { .. })));
    assert_eq!(machine.stopped(cpu), Some(why.clone()));
    assert!(machine.stopped(0).is_none());
    machine.guest_read(0, MMIO.start, 4).unwrap();
    why
}

#[test]
fn an_exception_in_the_guest_is_told_and_stops_its_cpu_only() {
    let test = "accesses::an_exception_in_the_guest_is_told_and_stops_its_cpu_only";
    let Some(machine) = machine(test, SMALL, Arc::new(Nothing)) else {
        return;
    };
    // Nothing is mapped between the windows; the address is canonical.
    let why = fault(&machine, 1, 0xf000_0000);
    let Stopped::Exception {
        vector: 14,
        code,
        rip,
        address: 0xf000_0000,
    } = why
    else {
        panic!("{why}");
    };
    assert_eq!(code, 0b10, "a write, not present");
    assert!((0x1_0000..0x2_0000).contains(&rip), "{rip:#x}");
    // Not canonical: a general-protection fault.
    let why = fault(&machine, 2, 0x8000_0000_0000_0000);
    assert!(
        matches!(why, Stopped::Exception { vector: 13, .. }),
        "{why}"
    );
}

/// On a write it interrupts the vCPU that writes; on a read it panics.
#[derive(Default)]
struct Rude {
    machine: OnceLock<Weak<Machine>>,
    refused: Mutex<Vec<MachineError>>,
}

impl Bus for Rude {
    fn read(&self, _: u32, _: u64, _: &mut [u8]) {
        panic!("a test's panic");
    }

    fn write(&self, cpu: u32, address: u64, _: &[u8]) {
        let machine = self.machine.get().unwrap().upgrade().unwrap();
        assert!(machine.post(7));
        send(&machine, &signal(&machine), cpu, 0x41);
        // The mailbox's own vector: what it asks for is under way.
        send(&machine, &signal(&machine), cpu, 0x20);
        let own = machine.guest_write(cpu, address, 0, 4);
        self.refused.lock().unwrap().push(own.unwrap_err());
        machine
            .guest_read(cpu + 1, machine.own_memory() - 8, 4)
            .unwrap();
    }
}

fn rude(test: &str) -> Option<(Arc<Machine>, Arc<Rude>)> {
    let bus = Arc::new(Rude::default());
    let machine = Arc::new(machine(test, SMALL, bus.clone())?);
    bus.machine.set(Arc::downgrade(&machine)).unwrap();
    Some((machine, bus))
}

#[test]
fn what_an_access_brings_about_may_interrupt_it() {
    let test = "accesses::what_an_access_brings_about_may_interrupt_it";
    let Some((machine, bus)) = rude(test) else {
        return;
    };
    machine.scan(0, 0x41, 0, 1);
    for count in 1..=50 {
        machine.guest_write(0, MMIO.start, 1, 4).unwrap();
        assert_eq!(machine.taken(7), count, "taken before the next instruction");
    }
    // No write was done twice.
    let refused = bus.refused.lock().unwrap();
    assert_eq!(refused.len(), 50);
    for error in &*refused {
        assert!(matches!(error, MachineError::OwnThread { cpu: 0 }));
    }
}

#[test]
fn a_panic_of_the_bus_stops_the_cpu_and_is_told() {
    let test = "accesses::a_panic_of_the_bus_stops_the_cpu_and_is_told";
    let Some((machine, _bus)) = rude(test) else {
        return;
    };
    let error = machine.guest_read(3, MMIO.start, 4).unwrap_err();
    let why = Stopped::Panicked;
    assert!(matches!(error, MachineError::Stopped { cpu: 3, why: told } if told == why));
    assert_eq!(machine.stopped(3), Some(why));
    machine.guest_write(0, MMIO.start, 1, 4).unwrap();
}

#[test]
fn a_stopped_machine_says_so() {
    let test = "accesses::a_stopped_machine_says_so";
    let Some(machine) = machine(test, SMALL, Arc::new(Nothing)) else {
        return;
    };
    machine.stop();
    machine.stop();
    for cpu in 0..4 {
        let error = machine.guest_read(cpu, MMIO.start, 4).unwrap_err();
        let ended = matches!(
            error,
            MachineError::Stopped {
                why: Stopped::Ended,
                ..
            }
        );
        assert!(ended, "{error}");
    }
}
