// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The software unit's table: two 64-bit atomics an entry.
//!
//! What can change while an entry is present (target, vector, FPD) is in its
//! lower half; what cannot (whose it is) in the upper. So a reader takes the
//! lower half, then the upper, and needs no second look:
//!
//! - a present entry's upper half never changes;
//! - an entry becomes present by its upper half first, then its lower;
//! - it ceases to be by its lower half alone, and is written as present again
//!   only when no reader is left that saw it present before.
//!
//! Moving an interrupt is then one 64-bit store. The price: a posted
//! descriptor's address has 32 bits (PDAH, in the upper half, is zero), which is
//! no price where an address is a number of the host's own choosing.

use super::layout::{MAX_ENTRIES, MIN_ENTRIES, POSTED, PRESENT, PostedIrte};
use super::table::{EntryMemory, TableError};
use crate::segments::Segments;
use crate::sync::{AtomicU64, Ordering};
use bitfield_struct::bitfield;

/// P, in the lower half.
const PRESENT_LOW: u64 = 1;
const _: () = assert!(PRESENT_LOW as u128 == PRESENT);

/// A table that software reads, growing on demand.
///
/// Entries below the limit that it has not grown to yet read as not present.
#[derive(Debug)]
pub struct PairTable {
    entries: Segments<Pair>,
    limit: u32,
}

#[derive(Debug)]
struct Pair {
    low: AtomicU64,
    high: AtomicU64,
}

impl PairTable {
    /// An empty table that may grow to `limit` entries: rounded up to a power
    /// of two, at most [`MAX_ENTRIES`]. It takes no memory until it grows.
    pub fn new(limit: u32) -> Self {
        let limit = limit.clamp(MIN_ENTRIES, MAX_ENTRIES).next_power_of_two();
        Self {
            entries: Segments::new(),
            limit,
        }
    }
}

/// An entry in halves.
#[bitfield(u128)]
struct Halves {
    low: u64,
    high: u64,
}

impl EntryMemory for PairTable {
    #[inline]
    fn read(&self, handle: u32) -> Option<u128> {
        let Some(pair) = self.entries.get(handle) else {
            return (handle < self.limit).then_some(0);
        };
        // Acquire: the upper half that was written before P was set, and the
        // descriptor the entry leads to.
        let low = pair.low.load(Ordering::Acquire);
        if low & PRESENT_LOW == 0 {
            return Some(u128::from(low));
        }
        let high = pair.high.load(Ordering::Relaxed);
        Some(Halves::new().with_low(low).with_high(high).into_bits())
    }

    fn write(&self, handle: u32, entry: u128) -> Result<(), TableError> {
        let pair = self
            .entries
            .get(handle)
            .ok_or(TableError::NoSuchEntry { handle })?;
        let halves = Halves::from_bits(entry);
        let (low, high) = (halves.low(), halves.high());
        if low & PRESENT_LOW == 0 {
            // Readers of the old entry may still want its upper half. Release:
            // what the writer did before is seen with it.
            pair.low.store(low, Ordering::Release);
            return Ok(());
        }
        if entry & POSTED != 0 {
            let posted = PostedIrte::from_bits(entry);
            if posted.address_high() != 0 {
                let address =
                    u64::from(posted.address_high()) << 32 | u64::from(posted.address_low()) << 6;
                return Err(TableError::DescriptorTooHigh { address });
            }
        }
        // Only this thread writes: relaxed loads see its own stores.
        let live = pair.low.load(Ordering::Relaxed) & PRESENT_LOW != 0;
        if pair.high.load(Ordering::Relaxed) != high {
            if live {
                return Err(TableError::UpperHalfLive { handle });
            }
            pair.high.store(high, Ordering::Relaxed);
        }
        // Release: the upper half, and the descriptor the entry leads to.
        pair.low.store(low, Ordering::Release);
        Ok(())
    }

    fn grow(&self, count: u32) -> Result<u32, TableError> {
        if count > self.limit {
            return Err(TableError::Full { limit: self.limit });
        }
        self.entries.grow(count, |_| Pair {
            low: AtomicU64::new(0),
            high: AtomicU64::new(0),
        });
        let room = self.entries.capacity().min(u64::from(self.limit));
        Ok(u32::try_from(room).unwrap_or(self.limit))
    }

    fn limit(&self) -> u32 {
        self.limit
    }
}
