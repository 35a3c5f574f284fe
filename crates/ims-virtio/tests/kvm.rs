// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Each transport on KVM: real reads, told by interrupts that guest code takes.
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

mod kvm_guest;

use std::thread;
use std::time::Duration;

use ims_virtio::machine::{PIN, Transport};
use kvm_guest::{Guest, QUEUES, Rig, VCPUS, target, wait};

/// Vectors of which each queue has one on each vCPU, besides its first.
const ELSEWHERE: u8 = 0xa0;

/// Transports with a vector for each queue.
const MANY: [Transport; 3] = [Transport::Msi, Transport::Vis, Transport::Pci];

fn rounds(guest: &mut Guest<'_>, rounds: u64) {
    for _ in 0..rounds {
        let before: Vec<_> = (0..QUEUES).map(|queue| guest.taken(queue)).collect();
        for queue in 0..QUEUES {
            guest.submit(queue);
        }
        for queue in 0..QUEUES {
            guest.finish(queue, before[usize::from(queue)]);
        }
    }
}

#[test]
fn every_queue_interrupts_the_vcpu_that_its_message_names() {
    const TEST: &str = "every_queue_interrupts_the_vcpu_that_its_message_names";
    for transport in MANY {
        let Some(rig) = Rig::new(TEST, transport) else {
            return;
        };
        let mut guest = rig.drive();
        rounds(&mut guest, 10);
        guest.settled();
        let machine = rig.board.machine();
        for queue in 0..QUEUES {
            let (at, vector) = target(queue);
            for cpu in 0..VCPUS {
                let expected = if cpu == at { 10 } else { 0 };
                let name = transport.name();
                assert_eq!(machine.interrupts(cpu, vector), expected, "{name} {queue}");
            }
            assert_eq!(guest.taken(queue), 10);
        }
    }
}

#[test]
fn the_single_interrupt_takes_all_queues_to_one_vcpu() {
    const TEST: &str = "the_single_interrupt_takes_all_queues_to_one_vcpu";
    let Some(rig) = Rig::new(TEST, Transport::Single) else {
        return;
    };
    let mut guest = rig.drive();
    rounds(&mut guest, 10);
    guest.settled();
    assert!(guest.handled(0) > 0);
    for cpu in 1..VCPUS {
        assert_eq!(guest.handled(cpu), 0, "{cpu}");
    }
    for queue in 0..QUEUES {
        assert_eq!(guest.taken(queue), 10);
    }
}

#[test]
fn interrupts_move_under_load_and_none_is_lost() {
    const TEST: &str = "interrupts_move_under_load_and_none_is_lost";
    for transport in MANY {
        let Some(rig) = Rig::new(TEST, transport) else {
            return;
        };
        let mut guest = rig.drive();
        let machine = rig.board.machine();
        let elsewhere = |queue: u16| ELSEWHERE + queue as u8;
        for queue in 0..QUEUES {
            for cpu in 0..VCPUS {
                rig.board.takes(cpu, elsewhere(queue), queue);
            }
        }
        for round in 0..24_u32 {
            let before: Vec<_> = (0..QUEUES).map(|queue| guest.taken(queue)).collect();
            for queue in 0..QUEUES {
                guest.submit(queue);
                // One that is at work already, and the one that has just begun.
                for moved in [queue.saturating_sub(1), queue] {
                    let to = (u32::from(moved) + round) % VCPUS;
                    let message = rig.message((to, elsewhere(moved)));
                    let vector = u32::from(moved) + 1;
                    guest.interrupts.move_to(vector, message).unwrap();
                }
            }
            for queue in 0..QUEUES {
                guest.finish(queue, before[usize::from(queue)]);
            }
            // Wherever it was on its way to, the next one is there.
            let queue = (round % u32::from(QUEUES)) as u16;
            let to = (u32::from(queue) + round) % VCPUS;
            guest.settled();
            let ran = machine.interrupts(to, elsewhere(queue));
            guest.read(queue);
            guest.settled();
            let name = transport.name();
            assert_eq!(machine.interrupts(to, elsewhere(queue)), ran + 1, "{name}");
        }
        guest.settled();
    }
}

#[test]
fn the_pin_moves_under_load_with_all_queues() {
    const TEST: &str = "the_pin_moves_under_load_with_all_queues";
    let Some(rig) = Rig::new(TEST, Transport::Single) else {
        return;
    };
    let mut guest = rig.drive();
    rig.board.takes_all(ELSEWHERE);
    for round in 0..12 {
        let before: Vec<_> = (0..QUEUES).map(|queue| guest.taken(queue)).collect();
        let to = round % VCPUS;
        for queue in 0..QUEUES {
            guest.submit(queue);
            if queue == QUEUES / 2 {
                let machine = rig.board.machine();
                machine.route_pin(0, PIN, to, ELSEWHERE).unwrap();
            }
        }
        for queue in 0..QUEUES {
            guest.finish(queue, before[usize::from(queue)]);
        }
        let ran = rig.board.machine().interrupts(to, ELSEWHERE);
        guest.read(0);
        assert!(rig.board.machine().interrupts(to, ELSEWHERE) > ran);
    }
    guest.settled();
}

#[test]
fn what_comes_while_masked_is_kept_and_sent_once() {
    const TEST: &str = "what_comes_while_masked_is_kept_and_sent_once";
    for transport in MANY {
        let Some(rig) = Rig::new(TEST, transport) else {
            return;
        };
        let mut guest = rig.drive();
        for round in 0..4 {
            for queue in 0..QUEUES {
                let vector = u32::from(queue) + 1;
                guest.interrupts.mask(vector).unwrap();
                let (taken, told) = (guest.taken(queue), guest.told(queue));
                guest.submit(queue);
                wait("a completion", || guest.told(queue) > told);
                // Others go on.
                guest.read((queue + 1) % QUEUES);
                thread::sleep(Duration::from_millis(1));
                assert_eq!(guest.taken(queue), taken, "{} {queue}", transport.name());
                guest.interrupts.unmask(vector).unwrap();
                guest.finish(queue, taken);
                guest.settled();
                let (cpu, at) = target(queue);
                // Two rounds of this queue, and its turn as the other one.
                let ran = rig.board.machine().interrupts(cpu, at);
                assert_eq!(ran, guest.taken(queue), "round {round}");
            }
        }
    }
}

#[test]
fn masks_that_change_all_the_time_lose_nothing() {
    const TEST: &str = "masks_that_change_all_the_time_lose_nothing";
    for transport in MANY {
        let Some(rig) = Rig::new(TEST, transport) else {
            return;
        };
        let mut guest = rig.drive();
        for _ in 0..40 {
            for queue in 0..QUEUES {
                let vector = u32::from(queue) + 1;
                let taken = guest.taken(queue);
                guest.submit(queue);
                // Falls before, into and after the completion.
                guest.interrupts.mask(vector).unwrap();
                guest.interrupts.unmask(vector).unwrap();
                guest.finish(queue, taken);
            }
        }
        guest.settled();
    }
}

#[test]
fn interrupt_storage_is_set_up_in_four_exits_and_masked_in_none() {
    const TEST: &str = "interrupt_storage_is_set_up_in_four_exits_and_masked_in_none";
    let Some(rig) = Rig::new(TEST, Transport::Vis) else {
        return;
    };
    let mut guest = rig.drive();
    assert!(guest.set_up <= 4, "{}", guest.set_up);
    rounds(&mut guest, 1);
    guest.settled();
    let before = rig.accesses();
    for vector in 1..=u32::from(QUEUES) {
        guest.interrupts.mask(vector).unwrap();
    }
    assert_eq!(rig.accesses(), before, "to mask all");
    let told = guest.told(0);
    let taken = guest.taken(0);
    guest.submit(0);
    wait("a completion", || guest.told(0) > told);
    thread::sleep(Duration::from_millis(5));
    assert_eq!(rig.accesses(), before + 1, "a notification");
    guest.interrupts.unmask(1).unwrap();
    assert_eq!(rig.accesses(), before + 2, "to unmask with one pending");
    guest.finish(0, taken);
    for vector in 2..=u32::from(QUEUES) {
        guest.interrupts.unmask(vector).unwrap();
    }
    assert_eq!(rig.accesses(), before + 2, "to unmask the rest");
    let message = rig.message((1, target(0).1));
    guest.interrupts.move_to(1, message).unwrap();
    assert_eq!(rig.accesses(), before + 3, "to move one");
    guest.settled();
    rig.board.machine().stop();
    match rig.counted_by_kvm() {
        Some(counted) => assert_eq!(counted, rig.accesses()),
        None => eprintln!("KVM of this kernel does not count accesses"),
    }
}
