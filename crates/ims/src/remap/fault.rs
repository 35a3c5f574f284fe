// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Faults: a ring of records for those who look into them, and counts by reason
//! that are always on (VT-d 7.2 primary fault logging).
//!
//! A raiser claims the next record by moving the ring's state one on, then fills
//! it with one store that carries F. A record is one word, so it is never read
//! torn; it is tagged with its turn, so that a record claimed but not yet filled
//! is told from the one it held a lap ago.

use super::fault_layout::{FaultRecord, FaultStatus};
use super::reason::{FaultReason, REASONS};
use crate::message::RequesterId;
use crate::sync::{AtomicU64, Ordering};
use alloc::boxed::Box;
use bitfield_struct::bitfield;

/// A request that was blocked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fault {
    /// Why.
    pub reason: FaultReason,
    /// Who sent it.
    pub requester: RequesterId,
    /// The index computed for it, its lower 16 bits; zero where none was.
    pub index: u16,
}

/// How often requests were blocked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FaultCounts {
    by_reason: [u64; REASONS],
    /// Counted but not recorded, because the entry's FPD said so.
    pub suppressed: u64,
    /// Counted but not recorded, because no record was free or PFO was set.
    pub overflowed: u64,
}

/// The fault recording registers of one unit.
///
/// # Concurrency
/// Any number of threads raise and take; nobody waits for anybody. Counts are
/// each exact, and add up once all is quiet: the sum over all reasons is what
/// was taken, is pending, was suppressed and overflowed.
#[derive(Debug)]
pub struct FaultLog {
    state: AtomicU64,
    records: Box<[AtomicU64]>,
    counts: [AtomicU64; REASONS],
    suppressed: AtomicU64,
    overflowed: AtomicU64,
}

/// Where recording stands.
#[bitfield(u64)]
struct Ring {
    /// PFO.
    overflow: bool,
    /// Records claimed and not yet taken.
    #[bits(9)]
    occupied: u16,
    /// The record to claim next.
    next: u8,
    /// The turn of that record: one more each time, so that a state never
    /// comes back while somebody still compares with it.
    #[bits(46)]
    turn: u64,
}

/// A record as it is kept.
#[bitfield(u64)]
struct Kept {
    index: u16,
    requester: u16,
    reason: u8,
    #[bits(8)]
    __: u8,
    /// Lower bits of the turn it was claimed in; a record's turns differ by the
    /// ring's length, which is far below 2^15.
    #[bits(15)]
    turn: u16,
    /// F.
    fault: bool,
}

fn turn_tag(turn: u64) -> u16 {
    (turn & 0x7fff) as u16
}

impl FaultLog {
    /// An empty log whose last record has the index `last` (CAP_REG.NFR): zero
    /// for one record, 255 for 256.
    pub fn new(last: u8) -> Self {
        Self {
            state: AtomicU64::new(0),
            records: (0..=last).map(|_| AtomicU64::new(0)).collect(),
            counts: core::array::from_fn(|_| AtomicU64::new(0)),
            suppressed: AtomicU64::new(0),
            overflowed: AtomicU64::new(0),
        }
    }

    /// Counts a fault, and records it unless `suppressed` by its entry's FPD or
    /// for want of a record.
    ///
    /// An unqualified reason is recorded whatever `suppressed` says.
    pub fn raise(&self, fault: Fault, suppressed: bool) {
        if let Some(count) = self.counts.get(fault.reason.position()) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        if suppressed && fault.reason.is_qualified() {
            self.suppressed.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let Some(claimed) = self.claim() else {
            self.overflowed.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let kept = Kept::new()
            .with_index(fault.index)
            .with_requester(fault.requester.0)
            .with_reason(fault.reason.code())
            .with_turn(turn_tag(claimed.turn()))
            .with_fault(true);
        if let Some(record) = self.records.get(usize::from(claimed.next())) {
            // Release: who takes the fault sees what led to it.
            record.store(kept.into_bits(), Ordering::Release);
        }
    }

    /// The oldest recorded fault; its record becomes free.
    ///
    /// `None` if nothing is recorded, or if the oldest is being written just now.
    pub fn take(&self) -> Option<Fault> {
        let mut now = Ring::from_bits(self.state.load(Ordering::Relaxed));
        loop {
            if now.occupied() == 0 {
                return None;
            }
            let record = self.records.get(usize::from(self.oldest(now)))?;
            let kept = Kept::from_bits(record.load(Ordering::Acquire));
            let turn = now.turn().wrapping_sub(u64::from(now.occupied()));
            if !kept.fault() || kept.turn() != turn_tag(turn) {
                // Being written, unless the state has moved on meanwhile.
                let later = Ring::from_bits(self.state.load(Ordering::Relaxed));
                if later.into_bits() == now.into_bits() {
                    return None;
                }
                now = later;
                continue;
            }
            let freed = now.with_occupied(now.occupied() - 1);
            // Release: this record was read before it is claimed and written again.
            match self.exchange(now, freed, Ordering::Release) {
                Ok(()) => {
                    return Some(Fault {
                        reason: FaultReason::from_code(kept.reason())?,
                        requester: RequesterId(kept.requester()),
                        index: kept.index(),
                    });
                }
                Err(later) => now = later,
            }
        }
    }

    /// Clears PFO: faults are recorded again, as far as records are free.
    pub fn clear_overflow(&self) {
        let overflow = Ring::new().with_overflow(true).into_bits();
        self.state.fetch_and(!overflow, Ordering::Relaxed);
    }

    /// Where recording stands, as FSTS_REG shows it.
    pub fn status(&self) -> FaultStatus {
        let now = Ring::from_bits(self.state.load(Ordering::Relaxed));
        FaultStatus::new()
            .with_overflow(now.overflow())
            .with_pending(now.occupied() != 0)
            .with_record_index(self.oldest(now))
    }

    /// How often requests were blocked so far.
    pub fn counts(&self) -> FaultCounts {
        FaultCounts {
            by_reason: core::array::from_fn(|at| {
                self.counts
                    .get(at)
                    .map_or(0, |count| count.load(Ordering::Relaxed))
            }),
            suppressed: self.suppressed.load(Ordering::Relaxed),
            overflowed: self.overflowed.load(Ordering::Relaxed),
        }
    }

    /// Claims the next record: the caller alone may write it. `None` sets PFO.
    fn claim(&self) -> Option<Ring> {
        let mut now = Ring::from_bits(self.state.load(Ordering::Relaxed));
        loop {
            if now.overflow() {
                return None;
            }
            let full = usize::from(now.occupied()) >= self.records.len();
            let then = if full {
                now.with_overflow(true)
            } else {
                now.with_occupied(now.occupied() + 1)
                    .with_next(self.after(now.next()))
                    .with_turn(now.turn().wrapping_add(1) & (u64::MAX >> 18))
            };
            // Acquire: whoever took the record's last fault is done with it.
            match self.exchange(now, then, Ordering::Acquire) {
                Ok(()) if full => return None,
                Ok(()) => return Some(now),
                Err(later) => now = later,
            }
        }
    }

    fn exchange(&self, now: Ring, then: Ring, order: Ordering) -> Result<(), Ring> {
        self.state
            .compare_exchange_weak(now.into_bits(), then.into_bits(), order, Ordering::Relaxed)
            .map(|_| ())
            .map_err(Ring::from_bits)
    }

    fn after(&self, record: u8) -> u8 {
        match record.checked_add(1) {
            Some(next) if usize::from(next) < self.records.len() => next,
            _ => 0,
        }
    }

    /// The record claimed longest ago.
    fn oldest(&self, now: Ring) -> u8 {
        let (next, occupied) = (usize::from(now.next()), usize::from(now.occupied()));
        let at = if next >= occupied {
            next - occupied
        } else {
            next + self.records.len() - occupied
        };
        // Below the number of records, which is at most 256.
        u8::try_from(at).unwrap_or(0)
    }
}

impl Fault {
    /// As FRCD_REG shows it.
    pub fn to_record(self) -> FaultRecord {
        FaultRecord::new()
            .with_fault(true)
            .with_reason(self.reason.code())
            .with_source_id(self.requester.0)
            .with_index(self.index)
    }
}

impl FaultCounts {
    /// How often for this reason, recorded or not.
    pub fn of(&self, reason: FaultReason) -> u64 {
        self.by_reason.get(reason.position()).copied().unwrap_or(0)
    }

    /// How often in all, recorded or not.
    pub fn total(&self) -> u64 {
        self.by_reason
            .iter()
            .fold(0, |sum, count| sum.saturating_add(*count))
    }
}
