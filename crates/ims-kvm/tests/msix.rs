// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A device's MSI-X on KVM: what reaches the vCPU, and when.
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

mod idle_guest;
mod idle_vm;
mod open_files;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use idle_guest::{device, interrupts, message, pending, until, vector};
use idle_vm::{Counting, IdleVm};
use ims::message::Message;
use ims::msix::MsixState;
use ims_kvm::MsixDevice;
use vmm_sys_util::eventfd::EventFd;

type Device = MsixDevice<Counting>;

/// Enabled, its vectors unmasked with the messages from `first` on.
fn start(device: &mut Device, first: usize) {
    for number in 0..device.config().vectors {
        let message = message(first + usize::from(number));
        device.program(number, message, false).unwrap();
    }
    device.set_enabled(true);
}

/// Writes an eventfd and waits for its vector; that alone comes.
fn delivers(vm: &IdleVm, eventfd: &EventFd, vector: u8) {
    eventfd.write(1).unwrap();
    until("an eventfd delivers", || match &*vm.take().unwrap() {
        [] => false,
        found => {
            assert_eq!(found, [vector]);
            true
        }
    });
}

type Change = fn(&mut Device, bool);

/// The three ways to hold a vector back, each with its opposite.
const WAYS: [(&str, Change); 3] = [
    ("vector mask", |device, held| {
        device.program(0, message(7), held).unwrap();
    }),
    ("function mask", |device, held| {
        device.set_function_masked(held);
    }),
    ("disabled", |device, held| device.set_enabled(!held)),
];

#[test]
fn what_an_eventfd_announces_while_held_back_is_delivered_once_later() {
    const NAME: &str = "what_an_eventfd_announces_while_held_back_is_delivered_once_later";
    for irqfd in [false, true] {
        for (way, set) in WAYS {
            let Some(vm) = IdleVm::or_skip(NAME) else {
                return;
            };
            let interrupts = interrupts(&vm);
            let mut device = device(&interrupts, 0, 1);
            let eventfd = if irqfd {
                let eventfd = device.eventfd(0).unwrap();
                start(&mut device, 7);
                until("it is an irqfd", || vm.attached() == 1);
                eventfd
            } else {
                start(&mut device, 7);
                device.eventfd(0).unwrap()
            };
            delivers(&vm, &eventfd, vector(7));

            set(&mut device, true);
            assert_eq!(vm.attached(), 0, "{way}");
            eventfd.write(1).unwrap();
            eventfd.write(1).unwrap();
            assert!(pending(&device, 0), "{way}");
            assert_eq!(vm.requested().unwrap(), [], "{way}");

            set(&mut device, false);
            assert_eq!(vm.take().unwrap(), [vector(7)], "{way}");
            assert!(!pending(&device, 0), "{way}");
            assert_eq!(vm.take().unwrap(), [], "{way}: once");
            delivers(&vm, &eventfd, vector(7));
        }
    }
}

#[test]
fn a_changed_message_is_followed_at_once() {
    const NAME: &str = "a_changed_message_is_followed_at_once";
    let Some(vm) = IdleVm::or_skip(NAME) else {
        return;
    };
    let interrupts = interrupts(&vm);
    let mut device = device(&interrupts, 0, 2);
    let eventfds = [0, 1].map(|number| device.eventfd(number).unwrap());
    start(&mut device, 0);
    until("they are irqfds", || vm.attached() == 2);
    for round in 1..20 {
        device.program(0, message(2 * round), false).unwrap();
        delivers(&vm, &eventfds[0], vector(2 * round));
        delivers(&vm, &eventfds[1], vector(1));
    }
    until("it is an irqfd again", || vm.attached() == 2);
    delivers(&vm, &eventfds[0], vector(38));
}

#[test]
fn triggers_need_neither_route_nor_eventfd() {
    const NAME: &str = "triggers_need_neither_route_nor_eventfd";
    let Some(vm) = IdleVm::or_skip(NAME) else {
        return;
    };
    let interrupts = interrupts(&vm);
    let mut device = device(&interrupts, 0, 2048);
    start(&mut device, 0);
    for number in [0, 1, 2047] {
        let trigger = device.trigger(number).unwrap();
        let _ = thread::spawn(move || trigger.raise()).join().unwrap();
        assert_eq!(vm.take().unwrap(), [vector(number.into())]);
        let counts = device.counts(number).unwrap();
        assert_eq!((counts.raised, counts.handed_over), (1, 1));
    }
    assert!(device.trigger(2048).is_err());
    let report = interrupts.report();
    assert_eq!((report.eventfds, report.commits), (0, 0));
    assert_eq!((vm.tables(), vm.attached()), (0, 0));
}

#[test]
fn a_reset_drops_what_was_announced_before_it() {
    const NAME: &str = "a_reset_drops_what_was_announced_before_it";
    let Some(vm) = IdleVm::or_skip(NAME) else {
        return;
    };
    let interrupts = interrupts(&vm);
    let mut device = device(&interrupts, 0, 2);
    let eventfds = [0, 1].map(|number| device.eventfd(number).unwrap());
    start(&mut device, 0);
    device.program(0, message(0), true).unwrap();
    eventfds[0].write(1).unwrap();
    device.reset();
    assert_eq!(vm.attached(), 0);
    assert!(!pending(&device, 0) && !device.enabled());
    assert_eq!(device.counts(0).unwrap().dropped, 1);
    start(&mut device, 10);
    assert_eq!(vm.take().unwrap(), []);
    delivers(&vm, &eventfds[0], vector(10));
    delivers(&vm, &eventfds[1], vector(11));
}

#[test]
fn what_was_announced_before_a_save_is_delivered_after_the_restore() {
    const NAME: &str = "what_was_announced_before_a_save_is_delivered_after_the_restore";
    let Some(vm) = IdleVm::or_skip(NAME) else {
        return;
    };
    let state = {
        let interrupts = interrupts(&vm);
        let mut device = device(&interrupts, 0, 70);
        let eventfd = device.eventfd(69).unwrap();
        start(&mut device, 0);
        device.program(69, message(69), true).unwrap();
        eventfd.write(1).unwrap();
        device.save()
    };
    assert_eq!(state.pending, [0, 1 << 5]);
    assert_eq!(vm.requested().unwrap(), []);

    let vm = IdleVm::new().unwrap();
    let interrupts = interrupts(&vm);
    let mut device = device(&interrupts, 0, 70);
    let eventfd = device.eventfd(69).unwrap();
    device.restore(&state).unwrap();
    assert!(pending(&device, 69));
    assert_eq!(vm.requested().unwrap(), []);
    device.program(69, message(69), false).unwrap();
    assert_eq!(vm.take().unwrap(), [vector(69)]);
    delivers(&vm, &eventfd, vector(69));
    assert!(device.restore(&MsixState::default()).is_err());
    delivers(&vm, &eventfd, vector(69));
}

/// 4096 eventfds, for the 4056 routes that KVM has room for beside the 40 of pins.
#[test]
fn sixty_four_devices_are_restored_by_one_table() {
    const NAME: &str = "sixty_four_devices_are_restored_by_one_table";
    const DEVICES: usize = 64;
    const EACH: usize = 64;
    let Some(vm) = IdleVm::or_skip(NAME) else {
        return;
    };
    open_files::most();
    let state = {
        let vm = IdleVm::new().unwrap();
        let interrupts = interrupts(&vm);
        let mut device = device(&interrupts, 0, EACH as u16);
        start(&mut device, 0);
        device.save()
    };
    let interrupts = interrupts(&vm);
    let mut devices: Vec<_> = (0..DEVICES)
        .map(|number| device(&interrupts, number, EACH as u16))
        .collect();
    let eventfds = devices.iter().map(|device| {
        let eventfds = (0..EACH).map(|number| device.eventfd(number as u16));
        eventfds.collect::<Result<Vec<_>, _>>()
    });
    let Ok(eventfds) = eventfds.collect::<Result<Vec<_>, _>>() else {
        eprintln!("SKIPPED {NAME}: the limit of open files is below 5000");
        return;
    };
    let batch = interrupts.batch();
    for device in &mut devices {
        device.restore(&state).unwrap();
    }
    assert_eq!(vm.tables(), 0);
    let committed = batch.commit().unwrap();
    assert_eq!(vm.tables(), 1);
    assert_eq!((committed.promoted, committed.waiting), (4056, 40));
    assert_eq!((committed.routes, vm.routes()), (4096, 4096));
    assert_eq!(vm.attached(), 4056);
    for eventfds in &eventfds {
        for (number, eventfd) in eventfds.iter().enumerate() {
            delivers(&vm, eventfd, vector(number));
        }
    }
}

/// One device is used throughout while others come and go, more than there are GSIs.
#[test]
fn devices_come_and_go_while_others_run() {
    const NAME: &str = "devices_come_and_go_while_others_run";
    let Some(vm) = IdleVm::or_skip(NAME) else {
        return;
    };
    let interrupts = interrupts(&vm);
    let mut stays = device(&interrupts, 0, 1);
    let eventfd = stays.eventfd(0).unwrap();
    start(&mut stays, 0);
    until("it is an irqfd", || vm.attached() == 1);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let running = scope.spawn(|| {
            let mut delivered = 0_u64;
            while !stop.load(Ordering::Relaxed) || delivered == 0 {
                delivers(&vm, &eventfd, vector(0));
                delivered += 1;
            }
            delivered
        });
        for round in 1..=20 {
            let mut comes = device(&interrupts, round, 256);
            let eventfds: Vec<_> = (0..256).map(|n| comes.eventfd(n).unwrap()).collect();
            let trigger = comes.trigger(0).unwrap();
            let batch = interrupts.batch();
            start(&mut comes, 1);
            let committed = batch.commit().unwrap();
            assert_eq!(vm.attached(), 257, "round {round}");
            assert!(committed.routes >= 40 + 257, "{committed:?}");
            drop(comes);
            assert_eq!(vm.attached(), 1, "round {round}");
            // What is left over of it reaches nobody.
            eventfds
                .iter()
                .for_each(|eventfd| eventfd.write(1).unwrap());
            let _ = trigger.raise();
        }
        until("its routes leave the table", || vm.routes() == 40 + 1);
        stop.store(true, Ordering::Relaxed);
        assert!(running.join().unwrap() > 0);
    });
    let report = interrupts.report();
    assert_eq!(
        (report.eventfds, report.promoted, report.routes),
        (1, 1, 41)
    );
}

#[test]
fn an_eventfd_may_come_from_elsewhere_and_be_given_up() {
    const NAME: &str = "an_eventfd_may_come_from_elsewhere_and_be_given_up";
    let Some(vm) = IdleVm::or_skip(NAME) else {
        return;
    };
    let interrupts = interrupts(&vm);
    let mut device = device(&interrupts, 0, 1);
    start(&mut device, 0);
    let theirs = EventFd::new(0).unwrap();
    // Written before it is ours.
    theirs.write(1).unwrap();
    device
        .accept_eventfd(0, theirs.try_clone().unwrap())
        .unwrap();
    until("what was written before", || {
        vm.take().unwrap() == [vector(0)]
    });
    for _ in 0..5 {
        delivers(&vm, &theirs, vector(0));
    }
    until("a busy one is an irqfd", || vm.attached() == 1);
    device.close_eventfd(0);
    assert_eq!(vm.attached(), 0);
    theirs.write(1).unwrap();
    assert_eq!(theirs.read().unwrap(), 1, "nobody else reads it");
    assert_eq!(vm.take().unwrap(), []);
    assert_eq!(interrupts.report().eventfds, 0);
}

/// A guest that misuses its own table harms nobody: messages that are none.
#[test]
fn a_message_that_is_none_is_refused_and_counted() {
    const NAME: &str = "a_message_that_is_none_is_refused_and_counted";
    let Some(vm) = IdleVm::or_skip(NAME) else {
        return;
    };
    let interrupts = interrupts(&vm);
    let mut device = device(&interrupts, 0, 1);
    let eventfd = device.eventfd(0).unwrap();
    let nowhere = Message {
        address: 0x1_fee0_0000,
        data: 0x41,
    };
    device.program(0, nowhere, false).unwrap();
    device.set_enabled(true);
    for written in 1..5 {
        eventfd.write(1).unwrap();
        until("it is counted", || {
            device.counts(0).unwrap().refused == written
        });
    }
    assert_eq!(vm.attached(), 0);
    assert_eq!(vm.requested().unwrap(), []);
    device.program(0, message(3), false).unwrap();
    delivers(&vm, &eventfd, vector(3));
}
