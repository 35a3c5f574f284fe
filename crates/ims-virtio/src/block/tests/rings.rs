// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Who is told when: what the driver asked for is kept to, and the device asks for
//! what it needs.

use std::time::Duration;

use super::machine::{Machine, put_header};
use crate::block::BlockOptions;
use crate::layout::block::{feature, request};
use crate::layout::features::RING_EVENT_IDX;

/// Does a request and looks at the ring until it is used.
fn poll(machine: &mut Machine) {
    let base = machine.buffers(0);
    put_header(&machine.ram, base, request::IN, 0);
    let chain = [(base, 16, false), (base + 16, 1, true)];
    machine.drivers[0].add(&chain).unwrap();
    machine.notify(0);
    while machine.drivers[0].take().is_none() {
        std::thread::yield_now();
    }
}

/// How often the driver was told, when everything has been told.
fn told(machine: &Machine) -> u64 {
    let host = &machine.backing.host;
    // A handler that runs is not quiet, and a free has to wait for it.
    machine.reset();
    host.quiesce(Duration::from_secs(60)).unwrap();
    machine.told.counts().of(0)
}

#[test]
fn a_driver_that_names_an_index_is_told_there_and_not_before() {
    let mut machine = Machine::started(&BlockOptions::default(), feature::FLUSH | RING_EVENT_IDX);
    machine.drivers[0].tell_after(9);
    for _ in 0..15 {
        poll(&mut machine);
    }
    assert_eq!(told(&machine), 1);
}

#[test]
fn a_driver_that_wants_no_interrupt_gets_none() {
    let mut machine = Machine::started(&BlockOptions::default(), feature::FLUSH);
    let flags = machine.drivers[0].avail();
    machine.drivers[0].store16(flags, 1);
    for _ in 0..10 {
        poll(&mut machine);
    }
    assert_eq!(told(&machine), 0);
    machine.restart(feature::FLUSH);
    poll(&mut machine);
    assert_eq!(told(&machine), 1);
}

#[test]
fn an_idle_device_asks_to_be_notified() {
    for event_idx in [0, RING_EVENT_IDX] {
        let mut machine = Machine::started(&BlockOptions::default(), feature::FLUSH | event_idx);
        for _ in 0..10 {
            let (before, _) = machine.drivers[0].position();
            poll(&mut machine);
            // The worker asks when it has seen that the ring is empty.
            let next = before.wrapping_add(1);
            let driver = &machine.drivers[0];
            let event = driver.used() + 4 + 8 * u64::from(driver.size);
            while event_idx != 0 && driver.load16(event) != next {
                std::thread::yield_now();
            }
            while event_idx == 0 && driver.load16(driver.used()) != 0 {
                std::thread::yield_now();
            }
        }
    }
}
