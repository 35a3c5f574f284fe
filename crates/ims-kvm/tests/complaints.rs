// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What users of VMMs complain of, done as those VMMs do it, and done with this crate.
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

mod complaints_pattern;
mod idle_guest;
mod idle_vm;
mod open_files;

use std::sync::Arc;

use complaints_pattern::{Group, RouteList};
use idle_guest::{VECTORS, device, interrupts, message, pending, until, vector};
use idle_vm::IdleVm;
use ims::msix::MsixState;
use rustix::io::Errno;

/// Cloud Hypervisor, issue 7081 (the 18th function with 257 vectors does not start) and
/// PR 7940 (NVMe with 2048). The pattern is given its best case: a table written once a
/// device.
#[test]
fn many_devices_exhaust_no_routes() {
    const NAME: &str = "many_devices_exhaust_no_routes";
    const DEVICES: usize = 40;
    const EACH: usize = 257;
    let Some(vm) = IdleVm::or_skip(NAME) else {
        return;
    };
    if open_files::most().is_some_and(|most| most < 12_000) {
        eprintln!("SKIPPED {NAME}: the limit of open files is below 12000");
        return;
    }

    let list = RouteList::new(Arc::clone(&vm.vm));
    let mut groups = Vec::new();
    let refused = (0..DEVICES).find_map(|_| {
        let mut group = Group::new(&list, EACH);
        for number in 0..EACH {
            group.unmask(number, message(number), false).unwrap();
        }
        let made = list.commit().and_then(|()| group.enable());
        groups.push(group);
        made.err()
    });
    assert_eq!(refused, Some(Errno::INVAL), "GSI 4096 is one too many");
    assert_eq!(groups.len(), 16, "15 devices work, the 16th does not start");
    drop((groups, list));

    let vm = IdleVm::new().unwrap();
    let interrupts = interrupts(&vm);
    let mut devices: Vec<_> = (0..DEVICES)
        .map(|number| device(&interrupts, number, EACH as u16))
        .collect();
    let mut eventfds = Vec::new();
    let batch = interrupts.batch();
    for device in &mut devices {
        for number in 0..EACH {
            eventfds.push(device.eventfd(number as u16).unwrap());
            let message = message(eventfds.len() - 1);
            device.program(number as u16, message, false).unwrap();
        }
        device.set_enabled(true);
    }
    let committed = batch.commit().unwrap();
    assert_eq!(vm.tables(), 1, "for all devices");
    assert!(committed.promoted > 4000, "{committed:?}");
    assert_eq!(committed.promoted + committed.waiting, DEVICES * EACH);

    // Twice, so that lines with routes and lines without change places.
    for _ in 0..2 {
        for (round, eventfds) in eventfds.chunks(VECTORS).enumerate() {
            let expected: Vec<u8> = (0..eventfds.len()).map(vector).collect();
            for eventfd in eventfds {
                eventfd.write(1).unwrap();
            }
            // Taken when all are there: what came while they are taken would be lost.
            until("every eventfd of a round delivers", || {
                vm.requested().unwrap() == expected
            });
            assert_eq!(vm.take().unwrap(), expected);
            assert_eq!(vm.take().unwrap(), [], "round {round}: no more than that");
        }
    }
    let report = interrupts.report();
    assert_eq!(report.eventfds, (DEVICES * EACH) as u64);
    assert!(report.routes <= 4096, "{report:?}");
}

/// Cloud Hypervisor, issue 7813 and PR 7963: with vhost-user and VFIO the pending-bit
/// array is always zero, and a masked vector delivers. The same in libvfio-user 806.
#[test]
fn pending_is_true_behind_an_eventfd_that_others_write() {
    const NAME: &str = "pending_is_true_behind_an_eventfd_that_others_write";
    let Some(vm) = IdleVm::or_skip(NAME) else {
        return;
    };
    let list = RouteList::new(Arc::clone(&vm.vm));
    let mut group = Group::new(&list, 1);
    group.unmask(0, message(0), true).unwrap();
    group.mask(0);
    group.notifier(0).write(1).unwrap();
    until("the masked vector delivers", || {
        vm.requested().unwrap() == [vector(0)]
    });
    assert!(!group.is_pending(0), "and is not pending");
    drop((group, list));

    let vm = IdleVm::new().unwrap();
    let interrupts = interrupts(&vm);
    let mut device = device(&interrupts, 0, 1);
    let eventfd = device.eventfd(0).unwrap();
    device.program(0, message(0), false).unwrap();
    device.set_enabled(true);
    until("it is an irqfd", || vm.attached() == 1);
    device.program(0, message(0), true).unwrap();
    assert_eq!(vm.attached(), 0, "none while masked");
    eventfd.write(1).unwrap();
    assert!(pending(&device, 0), "at once, whoever has read the eventfd");
    assert_eq!(vm.requested().unwrap(), []);
    device.program(0, message(0), false).unwrap();
    assert_eq!(vm.take().unwrap(), [vector(0)], "delivered by unmasking");
    assert!(!pending(&device, 0));
    assert_eq!(vm.take().unwrap(), [], "once");
    eventfd.write(1).unwrap();
    until("it goes on delivering", || {
        vm.take().unwrap() == [vector(0)]
    });
}

/// Cloud Hypervisor restores with one table write a vector; Firecracker did until
/// PR 6082, which halved the latency of 250 restores at the same time.
#[test]
fn a_restore_writes_one_table() {
    const NAME: &str = "a_restore_writes_one_table";
    const DEVICES: usize = 16;
    const EACH: usize = 32;
    let Some(vm) = IdleVm::or_skip(NAME) else {
        return;
    };
    let list = RouteList::new(Arc::clone(&vm.vm));
    for _ in 0..DEVICES {
        let mut group = Group::new(&list, EACH);
        for number in 0..EACH {
            group.unmask(number, message(number), true).unwrap();
        }
    }
    assert_eq!(vm.tables(), DEVICES * EACH, "a table for each vector");

    let saved: Vec<MsixState> = {
        let vm = IdleVm::new().unwrap();
        let interrupts = interrupts(&vm);
        let devices = (0..DEVICES).map(|number| {
            let mut device = device(&interrupts, number, EACH as u16);
            for number in 0..EACH {
                device
                    .program(number as u16, message(number), false)
                    .unwrap();
            }
            device.set_enabled(true);
            device.save()
        });
        devices.collect()
    };
    let vm = IdleVm::new().unwrap();
    let interrupts = interrupts(&vm);
    let mut eventfds = Vec::new();
    let batch = interrupts.batch();
    let devices: Vec<_> = saved
        .iter()
        .enumerate()
        .map(|(number, state)| {
            let mut device = device(&interrupts, number, EACH as u16);
            eventfds.extend((0..EACH).map(|number| device.eventfd(number as u16).unwrap()));
            device.restore(state).unwrap();
            device
        })
        .collect();
    let committed = batch.commit().unwrap();
    assert_eq!(vm.tables(), 1);
    assert_eq!((committed.promoted, committed.waiting), (DEVICES * EACH, 0));
    assert_eq!(vm.attached(), DEVICES * EACH);
    for eventfd in &eventfds[..EACH] {
        eventfd.write(1).unwrap();
    }
    let expected: Vec<u8> = (0..EACH).map(vector).collect();
    until("they deliver", || vm.requested().unwrap() == expected);
    drop(devices);
}
