// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Locks and atomics: the standard library's, or `loom`'s in a model check.

pub(crate) use ims::sync::{AtomicU64, Ordering};

#[cfg(loom)]
use loom::sync as from;
#[cfg(not(loom))]
use std::sync as from;

pub(crate) use from::MutexGuard;

/// A lock that a panic elsewhere does not close: what it guards is consistent
/// between any two statements, and interrupts must go on.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(from::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(from::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        match self.0.lock() {
            Ok(guard) => guard,
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    /// The lock, if nobody has it.
    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        match self.0.try_lock() {
            Ok(guard) => Some(guard),
            Err(std::sync::TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(std::sync::TryLockError::WouldBlock) => None,
        }
    }
}
