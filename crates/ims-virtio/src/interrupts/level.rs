// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Brings a line to the level it shall have, whoever finds that it changed.

use ims::sync::{AtomicU32, Ordering};

use crate::line::Line;

/// A line and what it was set to last.
///
/// # Concurrency
/// Whoever changed what the level follows, and nobody else, calls [`Level::settle`].
/// One of those who call at a time sets the line, and looks again for all who came
/// meanwhile; they do not wait for it. So the line is set by one thread at a time,
/// never twice to the same, and in the end to what the last look finds.
#[derive(Debug)]
pub(crate) struct Level<L> {
    line: L,
    /// Looks that were asked for and not done. Not 0: somebody is at it.
    asked: AtomicU32,
    /// Theirs.
    asserted: AtomicU32,
}

impl<L: Line> Level<L> {
    pub(crate) fn new(line: L) -> Self {
        Self {
            line,
            asked: AtomicU32::new(0),
            asserted: AtomicU32::new(0),
        }
    }

    /// Has the line set to what `wanted` finds.
    pub(crate) fn settle(&self, wanted: impl Fn() -> bool) {
        // Release: who is at it sees what the caller changed. Acquire: who begins
        // sees what the last one did.
        if self.asked.fetch_add(1, Ordering::AcqRel) != 0 {
            return;
        }
        let mut looked = 1;
        loop {
            let wanted = wanted();
            let asserted = self.asserted.load(Ordering::Relaxed) != 0;
            if wanted && asserted {
                // It fell and rose since the last look: there are lines that tell of a
                // rise only, and they would not of this one.
                self.line.set(false);
                self.line.set(true);
            } else if wanted != asserted {
                self.asserted.store(wanted.into(), Ordering::Relaxed);
                self.line.set(wanted);
            }
            // Acquire: what those who came meanwhile changed. Release: for the next.
            let asked = self.asked.fetch_sub(looked, Ordering::AcqRel);
            if asked == looked {
                return;
            }
            looked = asked.wrapping_sub(looked);
        }
    }
}
