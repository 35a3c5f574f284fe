// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A place for one thing, or none, that is replaced while others look at it.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

/// A place for one thing, or none.
///
/// # Concurrency
/// Looking takes no lock and never waits. Who looks finds what was put there by
/// the last [`replace`](Self::replace) that happened before, or by a later one.
/// After a replacement nobody else finds what was there; whoever already had has a
/// reference that counts until it is done.
#[derive(Debug)]
pub(crate) struct Place<T>(ArcSwapOption<T>);

impl<T> Default for Place<T> {
    fn default() -> Self {
        Self(ArcSwapOption::empty())
    }
}

impl<T> Place<T> {
    /// A place that holds `thing`.
    pub(crate) fn of(thing: T) -> Self {
        Self(ArcSwapOption::from_pointee(thing))
    }

    /// Has `look` look at what is there.
    #[inline]
    pub(crate) fn look<R>(&self, look: impl FnOnce(&T) -> R) -> Option<R> {
        self.0.load().as_deref().map(look)
    }

    /// Puts `thing` there, and gives back what was there.
    pub(crate) fn replace(&self, thing: Option<T>) -> Option<Arc<T>> {
        // The swap turns every loan of the old one into a reference, so who is left
        // can be seen from the count.
        self.0.swap(thing.map(Arc::new))
    }
}
