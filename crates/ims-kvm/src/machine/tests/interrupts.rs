// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Interrupts, and what the guest counts of them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use ims::message::Addressing;

use super::super::{Bus, Config, Irqchip, Machine, MachineError, VECTORS};
use super::support::{
    Nothing, SMALL, compatibility, handled, machine, message, send, signal, wait,
};
use crate::{Composer, Signal};

#[test]
fn every_vector_of_every_cpu_is_counted_once_with_its_source() {
    let test = "interrupts::every_vector_of_every_cpu_is_counted_once_with_its_source";
    let Some(machine) = machine(test, SMALL, Arc::new(Nothing)) else {
        return;
    };
    let signal = signal(&machine);
    // Vectors share words: four hold a CPU's sources.
    let source = |cpu: u32, vector: u8| cpu * 256 + u32::from(vector);
    for cpu in 0..4 {
        for vector in VECTORS {
            machine.scan(cpu, vector, source(cpu, vector) / 64, 1);
        }
    }
    for cpu in 0..4 {
        for vector in VECTORS {
            assert!(machine.post(source(cpu, vector)));
            send(&machine, &signal, cpu, vector);
            wait("the interrupt", || {
                handled(&machine, cpu, vector, source(cpu, vector))
            });
            assert_eq!(machine.taken(source(cpu, vector)), 1);
        }
    }
    for cpu in 0..4 {
        for vector in VECTORS {
            assert_eq!(machine.interrupts(cpu, vector), 1, "{cpu} {vector}");
            assert_eq!(machine.empty(cpu, vector), 0);
            assert_eq!(machine.taken(source(cpu, vector)), 1);
        }
        assert_eq!(machine.taken(source(cpu, 32)), 0);
        assert_eq!(machine.interrupts(cpu, 32), 0, "the machine's own");
    }
}

#[test]
fn an_interrupt_without_a_bit_counts_as_empty() {
    let test = "interrupts::an_interrupt_without_a_bit_counts_as_empty";
    let Some(machine) = machine(test, SMALL, Arc::new(Nothing)) else {
        return;
    };
    let signal = signal(&machine);
    // One has words to look into, the other has none.
    machine.scan(2, 0x50, 0, 16);
    for vector in [0x50, 0x51] {
        for count in 1..=3 {
            send(&machine, &signal, 2, vector);
            wait("the interrupt", || machine.empty(2, vector) == count);
            wait("its end", || !machine.in_handler(2, vector));
            assert_eq!(machine.interrupts(2, vector), count);
        }
    }
    // A bit of another word is not its own.
    machine.scan(2, 0x50, 1, 1);
    assert!(machine.post(63));
    send(&machine, &signal, 2, 0x50);
    wait("the interrupt", || machine.empty(2, 0x50) == 4);
    assert!(machine.is_posted(63));
    assert_eq!(machine.taken(63), 0);
}

#[test]
fn what_is_out_of_range_is_nothing() {
    let test = "interrupts::what_is_out_of_range_is_nothing";
    let Some(machine) = machine(test, SMALL, Arc::new(Nothing)) else {
        return;
    };
    let sources = SMALL.words * 64;
    assert!(machine.post(sources - 1));
    for source in [sources, u32::MAX] {
        assert!(!machine.post(source) && !machine.is_posted(source));
        assert_eq!(machine.taken(source), 0);
    }
    machine.scan(9, 0x50, 0, 1);
    machine.scan(0, 0x20, 0, 1);
    assert_eq!(
        (machine.interrupts(9, 0x50), machine.empty(9, 0x50)),
        (0, 0)
    );
    assert!(!machine.in_handler(9, 0x50));
    // A list longer than there are words ends with them.
    machine.scan(0, 0x50, 15, u32::MAX);
    send(&machine, &signal(&machine), 0, 0x50);
    wait("the interrupt", || handled(&machine, 0, 0x50, sources - 1));
    assert_eq!(machine.taken(sources - 1), 1);
    assert!(machine.stopped(0).is_none());
    // There is a message, but none that is delivered.
    let sent = message(&signal(&machine), machine.message(300, 0x50));
    assert!(!sent);
    let many = Config {
        vcpus: 256,
        ..SMALL
    };
    let refused = Machine::start(many, Arc::new(Nothing));
    assert!(matches!(
        refused,
        Err(MachineError::Vcpus { limit: 255, .. })
    ));
    let much = Config {
        memory: u64::MAX,
        ..SMALL
    };
    let refused = Machine::start(much, Arc::new(Nothing));
    assert!(matches!(refused, Err(MachineError::TooMuchMemory { .. })));
}

/// Sources posted without pause, each in a word of its own.
const SOURCES: u32 = 2;

/// Posts from two threads as fast as they can, to a few sources that two CPUs scan,
/// and gives how many bits were clear.
fn unpaced(machine: &Machine, rounds: u32) -> u64 {
    let fresh = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for thread in 0..2 {
            let (fresh, signal) = (&fresh, signal(machine));
            scope.spawn(move || {
                for round in 0..rounds {
                    if machine.post(round % SOURCES * 64) {
                        fresh.fetch_add(1, Ordering::Relaxed);
                    }
                    // Whether it was or not: some are coalesced, some find nothing.
                    send(machine, &signal, (round + thread) % 2, 0x60);
                    if round % 8 == 0 {
                        std::thread::yield_now();
                    }
                }
            });
        }
    });
    for word in 0..SOURCES {
        wait("all posts", || {
            handled(machine, 0, 0x60, word * 64) && !machine.in_handler(1, 0x60)
        });
    }
    fresh.into_inner()
}

#[test]
fn what_was_posted_anew_is_taken_once_whatever_is_coalesced() {
    let test = "interrupts::what_was_posted_anew_is_taken_once_whatever_is_coalesced";
    let Some(machine) = machine(test, SMALL, Arc::new(Nothing)) else {
        return;
    };
    for cpu in 0..2 {
        machine.scan(cpu, 0x60, 0, SOURCES);
    }
    let fresh = unpaced(&machine, 10_000);
    let taken: u64 = (0..SOURCES).map(|word| machine.taken(word * 64)).sum();
    assert_eq!(taken, fresh);
    let interrupts = machine.interrupts(0, 0x60) + machine.interrupts(1, 0x60);
    assert!((1..=20_000).contains(&interrupts), "{interrupts}");
}

/// Counts what handlers tell.
#[derive(Default)]
struct Told(Mutex<Vec<(u32, u8, u32, u64)>>);

impl Bus for Told {
    fn taken(&self, cpu: u32, vector: u8, word: u32, bits: u64) {
        self.0.lock().unwrap().push((cpu, vector, word, bits));
    }
}

#[test]
fn handlers_tell_each_bit_they_count() {
    let test = "interrupts::handlers_tell_each_bit_they_count";
    let told = Arc::new(Told::default());
    let config = Config {
        notify: true,
        ..SMALL
    };
    let Some(machine) = machine(test, config, told.clone()) else {
        return;
    };
    machine.scan(1, 0x70, 2, 3);
    for source in [128, 191, 300] {
        assert!(machine.post(source));
    }
    send(&machine, &signal(&machine), 1, 0x70);
    wait("the interrupt", || handled(&machine, 1, 0x70, 300));
    assert_eq!(
        std::mem::take(&mut *told.0.lock().unwrap()),
        [(1, 0x70, 2, 1 | 1 << 63), (1, 0x70, 4, 1 << 44)]
    );
    assert_eq!(machine.exits(1).notices, 2);

    for cpu in 0..2 {
        machine.scan(cpu, 0x60, 0, SOURCES);
    }
    let fresh = unpaced(&machine, 500);
    let told = told.0.lock().unwrap();
    let bits = told.iter().map(|(.., bits)| u64::from(bits.count_ones()));
    assert_eq!(bits.sum::<u64>(), fresh);
}

/// Each vCPU takes one interrupt at each of two vectors.
fn each_takes_one(machine: &Machine, vector: u8, signal: &Signal, addressing: Addressing) {
    for cpu in 0..machine.config().vcpus {
        let source = cpu * 2 + u32::from(vector % 2);
        machine.scan(cpu, vector, source / 64, 1);
        assert!(machine.post(source));
        let form = compatibility(machine.apic_id(cpu), vector)
            .encode(addressing)
            .unwrap();
        assert!(message(signal, form), "{cpu}");
        wait("the interrupt", || handled(machine, cpu, vector, source));
    }
    for cpu in 0..machine.config().vcpus {
        assert_eq!(machine.interrupts(cpu, vector), 1, "{cpu}");
        assert_eq!(machine.taken(cpu * 2 + u32::from(vector % 2)), 1, "{cpu}");
    }
}

#[test]
fn each_of_128_cpus_takes_its_own() {
    let test = "interrupts::each_of_128_cpus_takes_its_own";
    let config = Config {
        vcpus: 128,
        ..SMALL
    };
    let Some(machine) = machine(test, config, Arc::new(Nothing)) else {
        return;
    };
    each_takes_one(&machine, 0x80, &signal(&machine), Addressing::Xapic);
}

#[test]
fn cpus_above_255_take_messages_of_both_long_forms() {
    let test = "interrupts::cpus_above_255_take_messages_of_both_long_forms";
    let config = Config {
        vcpus: 320,
        x2apic: true,
        ..SMALL
    };
    let Some(machine) = machine(test, config, Arc::new(Nothing)) else {
        return;
    };
    each_takes_one(&machine, 0x80, &signal(&machine), Addressing::X2apic);
    let composer = Composer {
        addressing: Addressing::Extended,
        device_ids: false,
    };
    let extended = Signal::new(Arc::clone(machine.vm()), composer);
    each_takes_one(&machine, 0x81, &extended, Addressing::Extended);
    let value = machine.guest_read(319, machine.own_memory() - 8, 8);
    assert_eq!(value.unwrap(), 0);
}

#[test]
fn a_split_irqchip_takes_messages_too() {
    let test = "interrupts::a_split_irqchip_takes_messages_too";
    for x2apic in [false, true] {
        let config = Config {
            irqchip: Irqchip::Split(24),
            x2apic,
            ..SMALL
        };
        let Some(machine) = machine(test, config, Arc::new(Nothing)) else {
            return;
        };
        each_takes_one(&machine, 0x80, &signal(&machine), machine.addressing());
    }
}
