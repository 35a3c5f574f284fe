// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One queue that runs: its rings, its turn, what is done and not told yet.

use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use ims_host::Irq;

use super::ring::{Ring, Used};
use super::turn::Turn;

/// One queue.
///
/// # Concurrency
/// The worker whose turn it is takes chains; whoever handles its interrupt puts
/// them back. Neither lock is held while a request is worked on.
pub(crate) struct Lane {
    pub(crate) turn: Turn,
    pub(crate) irq: OnceLock<Irq>,
    ring: Mutex<Ring>,
    done: Mutex<Vec<Used>>,
    broken: AtomicBool,
}

impl Lane {
    pub(crate) fn new(ring: Ring) -> Self {
        Self {
            turn: Turn::new(),
            irq: OnceLock::new(),
            ring: Mutex::new(ring),
            done: Mutex::default(),
            broken: AtomicBool::new(false),
        }
    }

    pub(crate) fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn done(&self) -> MutexGuard<'_, Vec<Used>> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A chain is worked on, and not told yet.
    pub(crate) fn finish(&self, used: Used) {
        self.done().push(used);
    }

    /// What is to be told.
    pub(crate) fn take_done(&self) -> Vec<Used> {
        mem::take(&mut *self.done())
    }

    /// Keeps for later what could not be told, before what came since.
    pub(crate) fn keep_done(&self, mut used: Vec<Used>) {
        let mut done = self.done();
        used.append(&mut done);
        *done = used;
    }

    pub(crate) fn has_done(&self) -> bool {
        !self.done().is_empty()
    }

    /// Nothing is taken from it any more. True the first time.
    pub(crate) fn break_off(&self) -> bool {
        !self.broken.swap(true, Ordering::Relaxed)
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }
}
