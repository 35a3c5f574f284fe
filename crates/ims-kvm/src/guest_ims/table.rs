// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The remap table where the guest has it: in its own memory.
//!
//! An entry is two words that are read one after the other while the guest may
//! write them. The lower one, with P, is read before and after the upper one: if it
//! changed, the entry is read again. What this cannot tell is an entry that was
//! changed twice meanwhile and has its first lower half again; so the guest must
//! let a sync pass between clearing P and another upper half ([`super::layout`]).
//! One that does not may have its own lower half used with its own other upper half.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ims::remap::layout::MAX_ENTRIES;
use ims::remap::{EntryMemory, TableError};
use vm_memory::{Bytes, GuestAddress, GuestAddressSpace};

/// P, in the lower half.
const PRESENT: u64 = 1;
/// Bytes in an entry.
const ENTRY_BYTES: u64 = 16;
/// How often an entry that changes under our eyes is read before it counts as one
/// that cannot be read. A driver changes it once.
const LOOKS: u32 = 16;

/// A table in a guest's memory.
pub(super) struct GuestTable<G> {
    memory: G,
    /// Where it is. Changed only while nobody reads ([`super::GuestRemap`]).
    base: Arc<AtomicU64>,
}

impl<G> GuestTable<G> {
    pub(super) fn new(memory: G, base: Arc<AtomicU64>) -> Self {
        Self { memory, base }
    }
}

/// One of the two words of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Half {
    Low,
    High,
}

/// The entry that `load` reads the words of; `None` if it cannot, or the guest does
/// not stop writing.
fn whole(load: impl Fn(Half) -> Option<u64>) -> Option<u128> {
    let mut low = load(Half::Low)?;
    for _ in 0..LOOKS {
        if low & PRESENT == 0 {
            return Some(low.into());
        }
        let high = load(Half::High)?;
        let now = load(Half::Low)?;
        if now == low {
            return Some(u128::from(high) << 64 | u128::from(low));
        }
        low = now;
    }
    None
}

impl<G> EntryMemory for GuestTable<G>
where
    G: GuestAddressSpace + Send + Sync,
{
    fn read(&self, handle: u32) -> Option<u128> {
        // Relaxed: modes are acquired before, and set after the base.
        let base = self.base.load(Ordering::Relaxed);
        let low = base.checked_add(u64::from(handle).checked_mul(ENTRY_BYTES)?)?;
        let high = low.checked_add(ENTRY_BYTES / 2)?;
        let memory = self.memory.memory();
        whole(|half| {
            let at = GuestAddress(if half == Half::Low { low } else { high });
            // Acquire: each look comes after the one before.
            let word: u64 = memory.load(at, Ordering::Acquire).ok()?;
            Some(u64::from_le(word))
        })
    }

    fn write(&self, _handle: u32, _entry: u128) -> Result<(), TableError> {
        Err(TableError::Foreign)
    }

    fn grow(&self, count: u32) -> Result<u32, TableError> {
        if count > MAX_ENTRIES {
            return Err(TableError::Full { limit: MAX_ENTRIES });
        }
        Ok(MAX_ENTRIES)
    }

    fn limit(&self) -> u32 {
        MAX_ENTRIES
    }
}

#[cfg(all(test, not(loom)))]
#[allow(clippy::expect_used, reason = "a test")]
mod tests {
    use super::*;
    use std::cell::RefCell;

    /// Words as the reader finds them, look by look.
    fn read(looks: &[(Half, u64)]) -> Option<u128> {
        let left = RefCell::new(looks.iter());
        let entry = whole(|half| {
            let (expected, word) = left.borrow_mut().next().expect("one look too many");
            assert_eq!(half, *expected);
            Some(*word)
        });
        assert_eq!(left.borrow().len(), 0, "looks left");
        entry
    }

    #[test]
    fn an_entry_that_changes_between_the_looks_is_read_again() {
        use Half::{High, Low};
        let (old, new) = (0x41_0001, 0x42_0001);
        assert_eq!(
            read(&[(Low, old), (High, 7), (Low, old)]),
            Some(7 << 64 | u128::from(old))
        );
        // Retargeted: old and new halves of one owner.
        assert_eq!(
            read(&[(Low, old), (High, 7), (Low, new), (High, 7), (Low, new)]),
            Some(7 << 64 | u128::from(new))
        );
        // Cleared and given to another owner: never the old vector with him.
        assert_eq!(
            read(&[(Low, old), (High, 8), (Low, new), (High, 8), (Low, new)]),
            Some(8 << 64 | u128::from(new))
        );
        assert_eq!(read(&[(Low, old), (High, 8), (Low, 2)]), Some(2));
        assert_eq!(read(&[(Low, 2)]), Some(2), "not present: FPD counts");
    }

    #[test]
    fn a_guest_that_never_stops_writing_keeps_nobody() {
        let looks = RefCell::new(0u64);
        let entry = whole(|_| {
            *looks.borrow_mut() += 1;
            Some(*looks.borrow() << 8 | PRESENT)
        });
        assert_eq!(entry, None);
        assert!(*looks.borrow() < 40);
    }
}
