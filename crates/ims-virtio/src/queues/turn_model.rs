// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The turn under `loom`: nothing that was put in stays unseen, and no two workers
//! have the queue.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test"
)]

use loom::sync::atomic::{AtomicU32, Ordering};
use loom::sync::{Arc, Mutex};
use loom::thread;

use super::Turn;

/// A ring with a count for what is in it, and the pool's line.
struct World {
    turn: Turn,
    // Relaxed: whatever the turn does not order is not ordered.
    put_in: AtomicU32,
    seen: AtomicU32,
    line: Mutex<u32>,
    // Under a lock, as the ring is.
    served: Mutex<bool>,
}

impl World {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            turn: Turn::new(),
            put_in: AtomicU32::new(0),
            seen: AtomicU32::new(0),
            line: Mutex::new(0),
            served: Mutex::new(false),
        })
    }

    fn drive(&self) {
        self.put_in.fetch_add(1, Ordering::Relaxed);
        if self.turn.call() {
            *self.line.lock().unwrap() += 1;
        }
    }

    /// Takes one place in the line, if there is one.
    fn work(&self) -> bool {
        let mut line = self.line.lock().unwrap();
        if *line == 0 {
            return false;
        }
        *line -= 1;
        drop(line);
        self.turn.begin();
        let before = std::mem::replace(&mut *self.served.lock().unwrap(), true);
        assert!(!before);
        let there = self.put_in.load(Ordering::Relaxed);
        self.seen.fetch_max(there, Ordering::Relaxed);
        *self.served.lock().unwrap() = false;
        if self.turn.end() {
            *self.line.lock().unwrap() += 1;
        }
        true
    }
}

#[test]
fn loom_a_call_is_never_without_a_look_after_it() {
    loom::model(|| {
        let world = World::new();
        let threads = [0, 1].map(|_| {
            let world = Arc::clone(&world);
            thread::spawn(move || world.drive())
        });
        world.work();
        for thread in threads {
            thread.join().unwrap();
        }
        while world.work() {}
        assert_eq!(world.seen.load(Ordering::Relaxed), 2);
    });
}

#[test]
fn loom_a_queue_has_one_worker_at_a_time() {
    loom::model(|| {
        let world = World::new();
        world.drive();
        let threads = [0, 1].map(|_| {
            let world = Arc::clone(&world);
            thread::spawn(move || {
                world.work();
            })
        });
        world.drive();
        for thread in threads {
            thread.join().unwrap();
        }
        while world.work() {}
        assert_eq!(world.seen.load(Ordering::Relaxed), 2);
    });
}
