// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What waits for the next commit.

use std::mem;
use std::sync::Arc;

use crate::sync::Mutex;

/// Lines that the next commit is to look at, put here from wherever it shows: the
/// guest's exits, the forwarder, a device that goes away. Its lock is the last that
/// anybody takes, and is held for a few instructions.
pub(crate) struct Inbox<L>(Mutex<Pending<L>>);

/// What waits.
pub(crate) struct Pending<L> {
    /// Lines that may want a route.
    pub(crate) wanting: Vec<Arc<L>>,
    /// Lines given up: their routes are to leave the table.
    pub(crate) closed: Vec<Arc<L>>,
    /// Not to be put off.
    pub(crate) urgent: bool,
}

impl<L> Default for Pending<L> {
    fn default() -> Self {
        Self {
            wanting: Vec::new(),
            closed: Vec::new(),
            urgent: false,
        }
    }
}

impl<L> Pending<L> {
    fn is_empty(&self) -> bool {
        self.wanting.is_empty() && self.closed.is_empty()
    }
}

impl<L> Inbox<L> {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Pending::default()))
    }

    /// Puts a line before the next commit. True if nothing waited: tell the forwarder.
    pub(crate) fn want(&self, line: Arc<L>) -> bool {
        let mut pending = self.0.lock();
        let was_empty = pending.is_empty();
        pending.wanting.push(line);
        was_empty
    }

    /// As [`Inbox::want`] for many, not to be put off.
    pub(crate) fn want_soon(&self, lines: impl IntoIterator<Item = Arc<L>>) {
        let mut pending = self.0.lock();
        pending.wanting.extend(lines);
        pending.urgent = !pending.is_empty();
    }

    /// Puts a closed line before the next commit. True if nothing waited.
    pub(crate) fn closed(&self, line: Arc<L>) -> bool {
        let mut pending = self.0.lock();
        let was_empty = pending.is_empty();
        pending.closed.push(line);
        was_empty
    }

    /// Whether something waits, and if so whether it may be put off.
    pub(crate) fn look(&self) -> Option<Haste> {
        let pending = self.0.lock();
        match (pending.is_empty(), pending.urgent) {
            (true, _) => None,
            (false, true) => Some(Haste::Now),
            (false, false) => Some(Haste::Gather),
        }
    }

    /// Takes what waits.
    pub(crate) fn take(&self) -> Pending<L> {
        mem::take(&mut *self.0.lock())
    }
}

/// How soon a commit is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Haste {
    /// As soon as the rest after the last one is over.
    Now,
    /// When more has gathered.
    Gather,
}
