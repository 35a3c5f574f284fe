// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A table that hardware reads: one 128-bit atomic an entry, written with one
//! store, at an address and of a size the owner chose.

use super::layout::MAX_ENTRIES;
use super::table::{EntryMemory, TableError};
use alloc::boxed::Box;
use core::ops::Deref;
use core::sync::atomic::Ordering;
use portable_atomic::AtomicU128;

/// A table in memory of a fixed size, whole entries at a time.
///
/// `E` is the memory: a box in software, or what a kernel maps for IRTA_REG.
#[derive(Debug)]
pub struct WholeTable<E = Box<[AtomicU128]>> {
    entries: E,
}

impl WholeTable {
    /// A table of `count` entries, none present; at most [`MAX_ENTRIES`].
    ///
    /// # Errors
    /// As for [`WholeTable::over`].
    pub fn boxed(count: u32) -> Result<Self, TableError> {
        let count = count.min(MAX_ENTRIES);
        Self::over((0..count).map(|_| AtomicU128::new(0)).collect())
    }
}

impl<E: Deref<Target = [AtomicU128]> + Send + Sync> WholeTable<E> {
    /// A table over `entries`, which nobody else writes. Entries beyond
    /// [`MAX_ENTRIES`] are left alone.
    ///
    /// # Errors
    /// [`TableError::NoWholeStore`] if the CPU cannot store 128 bits at once:
    /// hardware could then read half an entry.
    pub fn over(entries: E) -> Result<Self, TableError> {
        if !AtomicU128::is_lock_free() {
            return Err(TableError::NoWholeStore);
        }
        Ok(Self { entries })
    }

    fn entry(&self, handle: u32) -> Option<&AtomicU128> {
        if handle >= MAX_ENTRIES {
            return None;
        }
        self.entries.get(handle as usize)
    }
}

impl<E: Deref<Target = [AtomicU128]> + Send + Sync> EntryMemory for WholeTable<E> {
    #[inline]
    fn read(&self, handle: u32) -> Option<u128> {
        // Acquire: the descriptor the entry leads to.
        // weaken: loom has no 128-bit atomics; the pair table's models stand for it
        Some(u128::from_le(self.entry(handle)?.load(Ordering::Acquire)))
    }

    fn write(&self, handle: u32, entry: u128) -> Result<(), TableError> {
        let place = self
            .entry(handle)
            .ok_or(TableError::NoSuchEntry { handle })?;
        // weaken: loom has no 128-bit atomics; the pair table's models stand for it
        place.store(entry.to_le(), Ordering::Release);
        Ok(())
    }

    fn grow(&self, count: u32) -> Result<u32, TableError> {
        let limit = self.limit();
        if count > limit {
            Err(TableError::Full { limit })
        } else {
            Ok(limit)
        }
    }

    fn limit(&self) -> u32 {
        u32::try_from(self.entries.len()).map_or(MAX_ENTRIES, |count| count.min(MAX_ENTRIES))
    }
}
