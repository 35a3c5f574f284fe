// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What happened to an interrupt, counted where it happens.

use core::ops::AddAssign;

use crate::sync::{AtomicU32, AtomicU64, Ordering};

/// One interrupt as its raisers see it: whether it is allocated, and what became
/// of their raises.
///
/// Every raise counts once in `raised`, and at quiet
/// `raised = taken + handed over + coalesced + refused + dropped`,
/// where `taken` is counted by the CPU that takes it. No counter is made from
/// another. The 32-bit ones wrap, so the sum is to be taken modulo 2^32.
///
/// Half a cache line, and never part of two.
#[derive(Debug, Default)]
#[repr(align(32))]
pub(crate) struct Record {
    /// Bit 0: the interrupt is allocated. Above it: how often it was raised.
    raised: AtomicU64,
    coalesced: AtomicU64,
    handed_over: AtomicU32,
    held: AtomicU32,
    refused: AtomicU32,
    dropped: AtomicU32,
}

impl Counts {
    /// Whether they and what was `taken` add up, as they must at quiet; modulo
    /// 2^32, for some of them wrap there.
    pub fn add_up(&self, taken: u64) -> bool {
        let known = [
            taken,
            self.handed_over,
            self.coalesced,
            self.refused,
            self.dropped,
        ];
        let known = known.iter().fold(0u64, |sum, part| sum.wrapping_add(*part));
        (self.raised ^ known) & u64::from(u32::MAX) == 0
    }
}

/// The interrupt is allocated.
const LIVE: u64 = 1;
/// One more raise.
const RAISE: u64 = 2;

/// The counts of one interrupt, or of several added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Attempts to raise it.
    pub raised: u64,
    /// Met one that was pending at the same place.
    pub coalesced: u64,
    /// Accepted by a sink that cannot be watched.
    pub handed_over: u64,
    /// Kept pending for a while: masked, moving, or the sink was busy. Not part
    /// of the sum: each was later taken, refused or dropped.
    pub held: u64,
    /// Refused: wrong PASID, or refused by the sink.
    pub refused: u64,
    /// Dropped, because the interrupt was freed.
    pub dropped: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.raised += other.raised;
        self.coalesced += other.coalesced;
        self.handed_over += other.handed_over;
        self.held += other.held;
        self.refused += other.refused;
        self.dropped += other.dropped;
    }
}

impl Record {
    /// Raises count from now on, from zero.
    pub(crate) fn open(&self) {
        self.raised.store(LIVE, Ordering::Relaxed);
    }

    /// Later raises are nobody's.
    pub(crate) fn close(&self) {
        self.raised.fetch_and(!LIVE, Ordering::Relaxed);
    }

    /// Whether the interrupt is allocated.
    #[inline]
    pub(crate) fn is_live(&self) -> bool {
        self.raised.load(Ordering::Relaxed) & LIVE != 0
    }

    #[inline]
    pub(crate) fn count_raised(&self) {
        self.raised.fetch_add(RAISE, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn count_coalesced(&self) {
        self.coalesced.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_handed_over(&self) {
        self.handed_over.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_held(&self) {
        self.held.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_dropped(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    /// The counts of a closed one since [`Record::open`]; they start from zero
    /// again.
    pub(crate) fn take_counts(&self) -> Counts {
        Counts {
            raised: self.raised.swap(0, Ordering::Relaxed) / RAISE,
            coalesced: self.coalesced.swap(0, Ordering::Relaxed),
            handed_over: self.handed_over.swap(0, Ordering::Relaxed).into(),
            held: self.held.swap(0, Ordering::Relaxed).into(),
            refused: self.refused.swap(0, Ordering::Relaxed).into(),
            dropped: self.dropped.swap(0, Ordering::Relaxed).into(),
        }
    }

    /// The counts now.
    pub(crate) fn counts(&self) -> Counts {
        Counts {
            raised: self.raised.load(Ordering::Relaxed) / RAISE,
            coalesced: self.coalesced.load(Ordering::Relaxed),
            handed_over: self.handed_over.load(Ordering::Relaxed).into(),
            held: self.held.load(Ordering::Relaxed).into(),
            refused: self.refused.load(Ordering::Relaxed).into(),
            dropped: self.dropped.load(Ordering::Relaxed).into(),
        }
    }
}
