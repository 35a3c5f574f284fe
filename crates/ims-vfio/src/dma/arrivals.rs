// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Waiting for something to be mapped.
//!
//! Whoever changes the maps looks at one count, of those who wait, and goes on.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use crate::sync::{AtomicUsize, Condvar, Mutex, Ordering};

/// Where work sleeps that needs memory which is not mapped.
#[derive(Default)]
pub(crate) struct Arrivals {
    waiters: AtomicUsize,
    lock: Mutex<()>,
    changed: Condvar,
}

impl Arrivals {
    /// The maps, or who may use them, have changed. Called after the lock of the
    /// maps was given back.
    ///
    /// Whoever waits says so before it looks at the maps under their lock. Either it
    /// looks after this change, or it had said so before the change was made: the
    /// lock of the maps orders both, so the count itself orders nothing.
    pub(crate) fn announce(&self) {
        if self.waiters.load(Ordering::Relaxed) > 0 {
            drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner));
            self.changed.notify_all();
        }
    }

    /// Sleeps until `is_over`, which is asked at the beginning and after each change
    /// and takes the lock of the maps; at most `limit`.
    pub(crate) fn wait(&self, limit: Duration, mut is_over: impl FnMut() -> bool) {
        let begin = Instant::now();
        self.waiters.fetch_add(1, Ordering::Relaxed);
        let mut guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        while !is_over() {
            let Some(rest) = limit
                .checked_sub(begin.elapsed())
                .filter(|rest| !rest.is_zero())
            else {
                break;
            };
            (guard, _) = self
                .changed
                .wait_timeout(guard, rest)
                .unwrap_or_else(PoisonError::into_inner);
        }
        drop(guard);
        self.waiters.fetch_sub(1, Ordering::Relaxed);
    }

    /// How many wait.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn waiting(&self) -> usize {
        self.waiters.load(Ordering::Relaxed)
    }
}
