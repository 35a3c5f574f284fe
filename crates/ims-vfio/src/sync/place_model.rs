// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A place for one thing, or none, in a model check: `loom` cannot see into
//! `arc-swap`, so this promises what that promises, and no more.
//!
//! A look is a plain load: it may find what was there before, as long as nothing
//! makes the replacement happen before the look. What it must not find is a thing
//! that was already given back to its replacer; `arc-swap` looks twice for that,
//! and the second look, a read-modify-write here, finds the newest. A look
//! publishes nothing to whoever replaces.

use std::sync::{Arc, Mutex, PoisonError};

use loom::sync::atomic::{AtomicUsize, Ordering};

/// See the shipping one.
#[derive(Debug)]
pub(crate) struct Place<T> {
    /// Which of `things` is there; 0 is none.
    current: AtomicUsize,
    /// All there ever were; `None` once given back. No model's step is taken under
    /// this lock, so nobody ever waits for it.
    things: Mutex<Vec<Option<Arc<T>>>>,
}

impl<T> Default for Place<T> {
    fn default() -> Self {
        Self {
            current: AtomicUsize::new(0),
            things: Mutex::new(Vec::new()),
        }
    }
}

impl<T> Place<T> {
    pub(crate) fn of(thing: T) -> Self {
        let place = Self::default();
        place.replace(Some(thing));
        place
    }

    pub(crate) fn look<R>(&self, look: impl FnOnce(&T) -> R) -> Option<R> {
        let mut current = self.current.load(Ordering::Acquire);
        if current != 0 && self.thing(current).is_none() {
            current = self.current.fetch_add(0, Ordering::Acquire);
        }
        let thing = self.thing(current)?;
        Some(look(&thing))
    }

    pub(crate) fn replace(&self, thing: Option<T>) -> Option<Arc<T>> {
        let number = thing.map_or(0, |thing| self.add(thing));
        let old = self.current.swap(number, Ordering::AcqRel);
        let mut things = self.things.lock().unwrap_or_else(PoisonError::into_inner);
        things.get_mut(old.checked_sub(1)?)?.take()
    }

    fn add(&self, thing: T) -> usize {
        let mut things = self.things.lock().unwrap_or_else(PoisonError::into_inner);
        things.push(Some(Arc::new(thing)));
        things.len()
    }

    /// Keeps a thing, if it was not given back.
    fn thing(&self, number: usize) -> Option<Arc<T>> {
        let things = self.things.lock().unwrap_or_else(PoisonError::into_inner);
        things.get(number.checked_sub(1)?)?.clone()
    }
}
