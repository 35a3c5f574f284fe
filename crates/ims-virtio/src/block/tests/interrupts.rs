// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The host-side interrupts: an entry for each queue, where it should be.

use std::time::Duration;

use ims::domain::Affinity;
use ims::vector::CpuId;

use super::machine::Machine;
use crate::block::BlockOptions;
use crate::layout::block::{feature, request, status};

const QUIET: Duration = Duration::from_secs(60);

fn four_queues() -> BlockOptions {
    BlockOptions {
        queues: 4,
        queue_size: 16,
        ..BlockOptions::default()
    }
}

fn cpu(machine: &Machine, queue: u16) -> u32 {
    let (location, _) = machine.block.interrupt(queue).unwrap();
    location.target.unwrap().0.0
}

#[test]
fn each_queue_has_an_entry_and_queues_are_spread_over_the_cpus() {
    let mut machine = Machine::started(&four_queues(), feature::FLUSH);
    assert_eq!(machine.backing.host.interrupts(), 4);
    for queue in 0..4 {
        assert_eq!(cpu(&machine, queue), u32::from(queue) % 2);
        for _ in 0..=queue {
            machine.request(queue, request::FLUSH, 0, (0, 0), false);
        }
    }
    for queue in 0..4 {
        let mut counts = machine.block.interrupt(queue).unwrap().1;
        // A handler may still be counted when what it told has been seen.
        while !counts.add_up() {
            counts = machine.block.interrupt(queue).unwrap().1;
        }
        let done = u64::from(queue) + 1;
        assert!(counts.raiser.raised >= done);
        assert!(counts.taken >= done);
    }
}

#[test]
fn a_queue_moves_while_it_runs() {
    let mut machine = Machine::started(&four_queues(), feature::FLUSH);
    for round in 0..50 {
        let to = Affinity::Cpu(CpuId(round % 2));
        // A move while one is under way is refused; it ends with the next interrupt.
        while machine.block.set_affinity(1, &to).unwrap().is_err() {
            machine.backing.host.settle();
        }
        let synced = machine.request(1, request::FLUSH, 0, (0, 0), false);
        assert_eq!(synced, (status::OK, 1));
        assert_eq!(cpu(&machine, 1), round % 2);
    }
}

#[test]
fn entries_are_given_back_at_each_stop_and_taken_at_each_start() {
    let mut machine = Machine::new(&four_queues());
    for _ in 0..20 {
        machine.start(machine.ram.clone(), feature::FLUSH);
        for queue in 0..4 {
            machine.request(queue, request::FLUSH, 0, (0, 0), false);
        }
        assert!(machine.block.interrupt(3).is_some());
        machine.restart(feature::FLUSH);
        machine.reset();
        assert!(machine.block.interrupt(3).is_none());
        machine.replace_ram(&machine.ram.clone());
    }
    machine.backing.host.quiesce(QUIET).unwrap();
    assert_eq!(machine.backing.host.interrupts(), 0);
}
