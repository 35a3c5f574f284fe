// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Handles revoked under load: asked for again, and what failed resubmitted.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use ims_dsa::adi::{AdiConfig, Parent};
use ims_dsa::layout::registers::{INTCAUSE, cause};

use crate::guest::{
    Guest, INVALID_HANDLE, RAM, SUCCESS, copy, drain, fired, record, signalled, wait,
};
use crate::parent;

const RECORD: u64 = RAM + 0x1000;

#[test]
fn a_revoked_handle_is_invalid_its_guest_is_told_and_a_new_one_works() {
    let parent = parent();
    let (guest, triggers) = Guest::enabled(&parent.compose(AdiConfig::default()).unwrap());
    let old = guest.handle(1);
    assert_eq!(guest.device.revoke_handles(), 1);
    fired(&triggers[0]);
    assert_eq!(guest.read32(INTCAUSE), cause::HANDLES_REVOKED);
    guest.write32(INTCAUSE, cause::HANDLES_REVOKED);
    assert_eq!(guest.read32(INTCAUSE), 0);
    guest.submit(0, 0, &copy(RAM, RAM + 64, 8, RECORD, Some(old)));
    wait("the record", || guest.ram.status(RECORD) == INVALID_HANDLE);
    assert_eq!(guest.run(14, old.into()).0, 0x41, "it is nobody's");
    assert_eq!(guest.device.revoke_handles(), 0, "there is none");
    let new = guest.handle(1);
    guest.submit(0, 1, &copy(RAM, RAM + 64, 8, RECORD, Some(new)));
    fired(&triggers[1]);
    assert_eq!(record(&guest.ram, RECORD).status, SUCCESS);
}

/// Waits until the host has back what it gave.
fn quiet(parent: &Parent, left: u32) {
    wait("the entries", || parent.usage().ims_used == left);
}

#[test]
fn a_driver_that_asks_again_sees_by_the_number_that_its_handle_was_revoked() {
    let parent = parent();
    let (guest, _triggers) = Guest::enabled(&parent.compose(AdiConfig::default()).unwrap());
    let entries = parent.usage().ims_used;
    let vectors = 1..AdiConfig::default().vectors.into();
    let mut old: Vec<_> = vectors.clone().map(|vector| guest.handle(vector)).collect();
    for round in 0..50 {
        assert_eq!(guest.device.revoke_handles(), entries);
        if round % 3 > 0 {
            // Somebody looks at the host: what was freed may be taken again.
            quiet(&parent, 0);
        }
        let new: Vec<_> = vectors.clone().map(|vector| guest.handle(vector)).collect();
        for (old, new) in old.iter().zip(&new) {
            assert_ne!(old, new, "round {round}");
        }
        old = new;
    }
}

#[test]
fn where_there_is_no_other_number_the_device_interrupts_for_what_the_old_handle_left() {
    let parent = parent();
    let with = |vectors| AdiConfig {
        vectors,
        ..AdiConfig::default()
    };
    let (guest, triggers) = Guest::enabled(&parent.compose(with(2)).unwrap());
    let (_other, _others) = Guest::enabled(&parent.compose(with(256)).unwrap());
    assert_eq!(parent.usage().ims_used, 256, "all there are");
    let handle = guest.handle(1);
    for round in 0..20 {
        guest.device.revoke_handles();
        guest.ram.write(RECORD, &[0; 32]);
        let lost = copy(RAM, RAM + 64, 8, RECORD, Some(handle));
        guest.submit(0, round, &lost);
        wait("the record", || guest.ram.status(RECORD) == INVALID_HANDLE);
        quiet(&parent, 255);
        assert_eq!(drain(&triggers[1]), 0);
        assert_eq!(guest.handle(1), handle);
        signalled(&triggers[1], 1);
        // It has noticed: not again.
        assert_eq!(guest.handle(1), handle);
        guest.submit(1, round, &lost);
        signalled(&triggers[1], 1);
        assert_eq!(record(&guest.ram, RECORD).status, SUCCESS);
    }
    // What a driver gives back itself leaves nothing to be shown.
    assert_eq!(guest.run(14, handle.into()).0, 0);
    quiet(&parent, 255);
    assert_eq!(guest.handle(1), handle);
    parent.usage();
    assert_eq!(drain(&triggers[1]), 0);
}

#[test]
fn a_guest_that_asks_again_and_resubmits_loses_nothing_to_revocations() {
    let parent = parent();
    let (guest, triggers) = Guest::enabled(&parent.compose(AdiConfig::default()).unwrap());
    let stop = AtomicBool::new(false);
    let mut refused = 0;
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                guest.device.revoke_handles();
                thread::yield_now();
            }
        });
        for round in 0..400u64 {
            loop {
                let (error, handle) = guest.run(13, 1);
                if error == 0x42 {
                    // What was given back is not quiet yet.
                    parent.usage();
                    continue;
                }
                assert_eq!(error, 0);
                guest.ram.write(RECORD, &[0; 32]);
                let descriptor = copy(RAM, RAM + 64, 8, RECORD, Some(handle));
                guest.submit(round % 4, round, &descriptor);
                wait("the record", || guest.ram.status(RECORD) != 0);
                match record(&guest.ram, RECORD).status {
                    SUCCESS => break,
                    INVALID_HANDLE => refused += 1,
                    status => panic!("{status:#x}"),
                }
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    // Each that succeeded raised, or lost its handle between check and raise.
    wait("the engines' counts", || {
        let engines = parent.usage().engines;
        let raised = engines.interrupts + engines.interrupts_lost;
        (raised, engines.descriptors) == (400, 400 + refused)
    });
    fired(&triggers[1]);
}
