// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The wait for raisers against a raiser: whoever acts on an old entry is waited
//! for, and all it did is seen.

use alloc::sync::Arc;
use loom::sync::atomic::AtomicU64;
use loom::sync::atomic::Ordering::Relaxed;
use loom::thread;

use crate::grace::Grace;

#[test]
fn loom_when_a_ticket_has_passed_all_that_was_done_by_the_old_entry_is_seen() {
    loom::model(|| {
        let mut grace = Grace::new();
        let mut raiser = grace.raiser();
        let entry = Arc::new(AtomicU64::new(1));
        let done = Arc::new(AtomicU64::new(0));
        let (reads, does) = (Arc::clone(&entry), Arc::clone(&done));
        let device = thread::spawn(move || {
            let _flight = raiser.enter();
            if reads.load(Relaxed) == 1 {
                does.store(1, Relaxed);
            }
        });
        entry.store(0, Relaxed);
        let passed = grace.ticket().has_passed();
        let seen = done.load(Relaxed);
        device.join().unwrap();
        if passed {
            assert_eq!(seen, done.load(Relaxed), "something unseen, or yet to come");
        }
    });
}

#[test]
fn loom_a_second_flight_is_not_waited_for_and_meets_the_new_entry() {
    loom::model(|| {
        let mut grace = Grace::new();
        let mut raiser = grace.raiser();
        let entry = Arc::new(AtomicU64::new(1));
        let done = Arc::new(AtomicU64::new(0));
        let (reads, does) = (Arc::clone(&entry), Arc::clone(&done));
        let device = thread::spawn(move || {
            for flight in 1..=2 {
                let _flight = raiser.enter();
                if reads.load(Relaxed) == 1 {
                    does.store(flight, Relaxed);
                }
            }
        });
        entry.store(0, Relaxed);
        let passed = grace.ticket().has_passed();
        let seen = done.load(Relaxed);
        device.join().unwrap();
        if passed {
            assert_eq!(seen, done.load(Relaxed), "something unseen, or yet to come");
        }
    });
}
