// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How long a device's control half waits for raisers that have an old trigger.
//!
//! A raiser has a trigger for the time of one write that does not block. But
//! `O_NONBLOCK` belongs to the open file, which the client shares: it can take it
//! off, fill the eventfd, and so hold a raiser inside for as long as it likes.
//! Whoever replaces triggers may serve other clients too, and must not be held.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// How long one wait is at most, and with it all waits of a device for one client.
#[cfg(not(loom))]
const LIMIT: std::time::Duration = std::time::Duration::from_millis(20);

/// The patience of one device with its client.
#[derive(Debug, Default)]
pub(super) struct Patience {
    /// A wait ended before the raiser left. There is no other for this client.
    lost: AtomicBool,
}

impl Patience {
    /// Waits until nobody else has `old`; false if somebody still has when the
    /// patience is at its end.
    pub(super) fn wait<T>(&self, mut old: Arc<T>) -> bool {
        let mut pause = Pause::default();
        loop {
            match Arc::try_unwrap(old) {
                Ok(_) => return true,
                Err(shared) => old = shared,
            }
            // A hint to this control half alone; nothing is read by it.
            if self.lost.load(Ordering::Relaxed) {
                return false;
            }
            if !pause.take() {
                self.lose();
                return false;
            }
        }
    }

    /// There is no waiting any more.
    pub(super) fn lose(&self) {
        if !self.lost.swap(true, Ordering::Relaxed) {
            tracing::warn!("a raiser did not leave an eventfd that was replaced");
        }
    }

    /// Whether a wait came to nothing.
    pub(super) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// Another client, another try.
    pub(super) fn renew(&self) {
        self.lost.store(false, Ordering::Relaxed);
    }
}

/// The pauses of one wait: spinning, then giving the CPU away, then sleeping.
#[cfg(not(loom))]
#[derive(Default)]
struct Pause {
    rounds: u32,
    end: Option<std::time::Instant>,
}

#[cfg(not(loom))]
impl Pause {
    const SPINS: u32 = 64;
    const YIELDS: u32 = 64;

    /// Pauses once; false if it has been long enough.
    fn take(&mut self) -> bool {
        use std::time::{Duration, Instant};

        self.rounds = self.rounds.saturating_add(1);
        if self.rounds < Self::SPINS {
            std::hint::spin_loop();
            return true;
        }
        let now = Instant::now();
        if *self.end.get_or_insert(now + LIMIT) <= now {
            return false;
        }
        if self.rounds < Self::SPINS + Self::YIELDS {
            std::thread::yield_now();
        } else {
            std::thread::sleep(Duration::from_micros(20));
        }
        true
    }
}

/// In a model the others go on meanwhile, and no time passes.
#[cfg(loom)]
#[derive(Default)]
struct Pause;

#[cfg(loom)]
impl Pause {
    fn take(&mut self) -> bool {
        loom::thread::yield_now();
        true
    }
}
