// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What others can tell an engine: to give up what it executes.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use crate::bell::Bell;
use crate::sync::{AtomicBool, Mutex};

/// An engine's place in its group, for as long as its thread lives.
///
/// # Concurrency
/// The flag orders nothing. An engine that executes sees it sooner or later; one that
/// falls asleep has the lock of what it sleeps on between what it says and what it
/// looks at, and so has whoever tells it: one of them sees the other.
#[derive(Debug, Default)]
pub(crate) struct Seat {
    abandoned: AtomicBool,
    /// What the engine sleeps on while it executes a drain.
    sleeps_on: Mutex<Option<Arc<Bell>>>,
}

impl Seat {
    /// Tells the engine to give up, and wakes it if it waits for others.
    pub(crate) fn abandon(&self) {
        self.abandoned.store(true, Ordering::Relaxed);
        let bell = self
            .sleeps_on
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(bell) = &*bell {
            bell.ring();
        }
    }

    /// Whether to give up.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Relaxed)
    }

    /// A new descriptor is executed. Under the group's lock, as are those who
    /// tell it to give up.
    pub(crate) fn begin(&self) {
        self.abandoned.store(false, Ordering::Relaxed);
    }

    /// Sleeps until `bell` is rung, or the descriptor is abandoned.
    pub(crate) fn sleep(&self, bell: &Arc<Bell>) {
        self.set(Some(Arc::clone(bell)));
        if !self.is_abandoned() {
            bell.wait();
        }
        self.set(None);
    }

    fn set(&self, bell: Option<Arc<Bell>>) {
        *self
            .sleeps_on
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = bell;
    }
}
