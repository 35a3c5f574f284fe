// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How many operations of a VM may be under way.
//!
//! A local APIC delivers the highest vector first, always. Where taking an interrupt
//! costs more than completing an operation, drivers that submit at once whatever
//! they finish keep the highest vectors of a CPU pending for ever, and the lowest
//! never have their turn. With few under way, each waits for those few only, and
//! all others come before who has just had its turn.

use std::sync::atomic::{AtomicU32, Ordering};

/// The turns of one VM.
#[derive(Debug)]
pub(super) struct Turns {
    /// No limit if `None`: soft CPUs take all that is pending in one go.
    most: Option<u32>,
    under_way: AtomicU32,
}

impl Turns {
    pub(super) fn new(most: Option<u32>) -> Self {
        Self {
            most,
            under_way: AtomicU32::new(0),
        }
    }

    /// Whether there is an end to them: then whoever has just had one waits behind
    /// all who have not.
    pub(super) fn are_limited(&self) -> bool {
        self.most.is_some()
    }

    /// Takes a turn, for one operation; says whether there is one.
    pub(super) fn begin(&self) -> bool {
        let Some(most) = self.most else { return true };
        self.under_way
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| {
                (now < most).then_some(now + 1)
            })
            .is_ok()
    }

    /// Gives `turns` back.
    pub(super) fn end(&self, turns: u32) {
        if self.most.is_some() {
            self.under_way.fetch_sub(turns, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_turns_as_were_given_back() {
        let turns = Turns::new(Some(2));
        assert!(turns.begin() && turns.begin() && !turns.begin());
        turns.end(1);
        assert!(turns.begin() && !turns.begin());
    }

    #[test]
    fn without_a_limit_there_is_always_one() {
        let turns = Turns::new(None);
        assert!((0..1000).all(|_| turns.begin()));
    }
}
