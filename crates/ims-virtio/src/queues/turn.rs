// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whose turn a queue is: nobody's, a place in the pool's line, or a worker's.

use ims::sync::{AtomicU8, Ordering};

/// Nothing to do, as far as anybody knows.
const IDLE: u8 = 0;
/// In line for a worker.
const QUEUED: u8 = 1;
/// A worker has it.
const SERVED: u8 = 2;
/// A worker has it, and somebody called since.
const AGAIN: u8 = 3;

/// One queue's turn. It is in the pool's line at most once, and has at most one
/// worker; a call is never without a look at the ring after it.
///
/// # Concurrency
/// `call` on any thread; the rest by the worker that has the queue.
///
/// What a caller put in before a call is seen after the next `begin`: all steps are
/// read-modify-writes, so whichever of them came between passes the caller's release
/// on. Nothing else is ordered here: what workers hand each other is under locks.
pub(crate) struct Turn(AtomicU8);

impl Turn {
    pub(crate) fn new() -> Self {
        Self(AtomicU8::new(IDLE))
    }

    /// Something was put in. True if the caller must put the queue in line.
    ///
    /// Written also where it changes nothing: the worker that begins later reads
    /// this write, or one that came after it.
    pub(crate) fn call(&self) -> bool {
        let next = |state| {
            Some(match state {
                IDLE => QUEUED,
                SERVED => AGAIN,
                other => other,
            })
        };
        let before = self
            .0
            .fetch_update(Ordering::Release, Ordering::Relaxed, next);
        before == Ok(IDLE)
    }

    /// A worker took it out of the line.
    pub(crate) fn begin(&self) {
        self.0.swap(SERVED, Ordering::Acquire);
    }

    /// The worker found the ring empty. True if it must put the queue in line,
    /// because somebody called since it began.
    pub(crate) fn end(&self) -> bool {
        let ended = self
            .0
            .compare_exchange(SERVED, IDLE, Ordering::Relaxed, Ordering::Relaxed);
        if ended.is_err() {
            self.stay();
        }
        ended.is_err()
    }

    /// The worker puts it in line again, whether anybody called or not.
    pub(crate) fn stay(&self) {
        self.0.swap(QUEUED, Ordering::Relaxed);
    }
}

#[cfg(all(test, loom))]
#[path = "turn_model.rs"]
mod model;
