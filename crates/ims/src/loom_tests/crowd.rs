// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A raiser that comes from anywhere against a wait for all of them.

use alloc::sync::Arc;
use loom::sync::atomic::AtomicU64;
use loom::sync::atomic::Ordering::Relaxed;
use loom::thread;

use crate::grace::Crowd;

const OLD: u64 = 1;
const NEW: u64 = 2;

#[derive(Debug)]
struct Place {
    crowd: Crowd,
    /// What raisers read.
    entry: AtomicU64,
    /// What the old entry led to is somebody else's.
    reused: AtomicU64,
    /// What raisers do with it.
    raised: AtomicU64,
}

impl Place {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            crowd: Crowd::new(),
            entry: AtomicU64::new(OLD),
            reused: AtomicU64::new(0),
            raised: AtomicU64::new(0),
        })
    }

    /// A raise: what it read, and whether that was somebody else's meanwhile.
    fn raise(&self) -> u64 {
        let _visit = self.crowd.enter();
        let entry = self.entry.load(Relaxed);
        if entry == OLD {
            assert_eq!(self.reused.load(Relaxed), 0, "the old entry after the wait");
        }
        self.raised.fetch_add(1, Relaxed);
        entry
    }
}

#[test]
fn loom_crowd_nobody_uses_an_old_entry_after_the_wait_and_what_was_done_is_seen() {
    loom::model(|| {
        let place = Place::new();
        let raiser = Arc::clone(&place);
        let raiser = thread::spawn(move || raiser.raise());
        place.entry.store(NEW, Relaxed);
        place.crowd.wait();
        let seen = place.raised.load(Relaxed);
        place.reused.store(1, Relaxed);
        if raiser.join().unwrap() == OLD {
            assert_eq!(seen, 1, "what it did inside");
        }
    });
}

#[test]
fn loom_crowd_a_raiser_that_comes_again_is_waited_for_each_time() {
    loom::model(|| {
        let place = Place::new();
        let raiser = Arc::clone(&place);
        let raiser = thread::spawn(move || {
            raiser.raise();
            raiser.raise()
        });
        place.entry.store(NEW, Relaxed);
        place.crowd.wait();
        place.reused.store(1, Relaxed);
        raiser.join().unwrap();
    });
}

#[test]
fn loom_crowd_a_wait_after_a_wait_is_a_wait() {
    loom::model(|| {
        let place = Place::new();
        place.crowd.wait();
        let raiser = Arc::clone(&place);
        let raiser = thread::spawn(move || raiser.raise());
        place.entry.store(NEW, Relaxed);
        place.crowd.wait();
        place.reused.store(1, Relaxed);
        raiser.join().unwrap();
    });
}
