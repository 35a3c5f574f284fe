// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Who should take an interrupt: the run's own book, kept apart from the stack's.
//!
//! Before the stack is asked to move an interrupt, the book says that it may show
//! up at one CPU nobody knows yet, beside the old one; when the stack has said
//! where it went, that must be the CPU that showed up; and when the old CPU is
//! quiet, only the new one is right.

use std::sync::atomic::{AtomicU64, Ordering};

/// One interrupt's CPU: its number below 2^16, and the one it came from.
#[derive(Debug)]
pub(super) struct Owner(AtomicU64);

const NOBODY: u64 = 0xffff;
/// Moving to a CPU that nobody knows yet (bits 31:16, if it showed up).
const UNKNOWN: u64 = 1 << 32;
/// Moved; the CPU of bits 31:16 is the old one and may still take it.
const LEAVING: u64 = 1 << 33;

const fn cpu(word: u64, shift: u32) -> u64 {
    word >> shift & 0xffff
}

impl Owner {
    /// Nobody's yet.
    pub(super) fn new() -> Self {
        Self(AtomicU64::new(UNKNOWN | NOBODY << 16 | NOBODY))
    }

    /// It may be anywhere from now on, beside where it is.
    pub(super) fn about_to_move(&self) {
        let here = cpu(self.0.load(Ordering::SeqCst), 0);
        self.0
            .store(UNKNOWN | NOBODY << 16 | here, Ordering::SeqCst);
    }

    /// It is at `new`; says whether whoever showed up meanwhile was there.
    pub(super) fn moved_to(&self, new: u32) -> bool {
        let new = u64::from(new);
        let mut right = true;
        let _ = self
            .0
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |word| {
                let (old, showed_up) = (cpu(word, 0), cpu(word, 16));
                right = showed_up == NOBODY || showed_up == new;
                Some(LEAVING | old << 16 | new)
            });
        right
    }

    /// Its old CPU is quiet.
    pub(super) fn settled(&self) {
        let here = cpu(self.0.load(Ordering::SeqCst), 0);
        self.0.store(NOBODY << 16 | here, Ordering::SeqCst);
    }

    /// Where it is, as far as the book goes.
    pub(super) fn here(&self) -> Option<u32> {
        let here = cpu(self.0.load(Ordering::SeqCst), 0);
        (here != NOBODY).then(|| u32::try_from(here).ok()).flatten()
    }

    /// Whether `taker` is right to take it now.
    pub(super) fn allows(&self, taker: u32) -> bool {
        let taker = u64::from(taker);
        let outcome = self
            .0
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |word| {
                let (here, other) = (cpu(word, 0), cpu(word, 16));
                if taker == here || taker == other {
                    return Some(word);
                }
                let unseen = word & UNKNOWN != 0 && other == NOBODY;
                unseen.then_some(word & !(0xffff << 16) | taker << 16)
            });
        outcome.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_owner_is_right_while_nothing_moves() {
        let owner = Owner::new();
        assert!(owner.moved_to(3));
        owner.settled();
        assert!(owner.allows(3));
        assert!(!owner.allows(2));
        assert_eq!(owner.here(), Some(3));
    }

    #[test]
    fn during_a_move_the_old_and_one_new_cpu_are_right() {
        let owner = Owner::new();
        assert!(owner.moved_to(3));
        owner.settled();
        owner.about_to_move();
        assert!(owner.allows(3));
        assert!(owner.allows(5));
        assert!(!owner.allows(6), "a second stranger");
        assert!(owner.moved_to(5));
        assert!(owner.allows(3) && owner.allows(5));
        owner.settled();
        assert!(owner.allows(5) && !owner.allows(3));
    }

    #[test]
    fn one_who_showed_up_elsewhere_is_found_out() {
        let owner = Owner::new();
        assert!(owner.moved_to(3));
        owner.settled();
        owner.about_to_move();
        assert!(owner.allows(6));
        assert!(!owner.moved_to(5));
    }
}
