// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where entries live.

/// The memory of a remapping table.
///
/// # Concurrency
/// One thread, the control half, writes and grows; any number read meanwhile.
/// A reader sees an entry wholly before or wholly after a write, and what the
/// writer did before the write.
///
/// # Reuse
/// After an entry was written as not present, it must not be written as present
/// again until every reader that may have begun before is done: the caller
/// waits ([`crate::grace`]).
pub trait EntryMemory: Send + Sync {
    /// The entry at `handle`; `None` where the memory has none.
    ///
    /// An entry that is not present reads with P clear and its FPD; its other
    /// bits mean nothing.
    fn read(&self, handle: u32) -> Option<u128>;

    /// Writes the entry at `handle`, all 128 bits at once.
    ///
    /// # Errors
    /// What this memory cannot hold: see [`TableError`]. Nothing is written then.
    fn write(&self, handle: u32, entry: u128) -> Result<(), TableError>;

    /// Makes room for `count` entries; returns for how many there is room now.
    ///
    /// # Errors
    /// [`TableError::Full`] if `count` is beyond [`EntryMemory::limit`].
    fn grow(&self, count: u32) -> Result<u32, TableError>;

    /// How many entries it can grow to hold.
    fn limit(&self) -> u32;
}

/// Why a table refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// No entry with this handle.
    #[error("no entry {handle} in the table; grow it first")]
    NoSuchEntry {
        /// The handle.
        handle: u32,
    },
    /// The table cannot hold so many.
    #[error("the table holds at most {limit} entries; release some or use another unit")]
    Full {
        /// How many it can hold.
        limit: u32,
    },
    /// Source or upper address bits would change in a present entry.
    #[error("the upper half of entry {handle} cannot change while it is present; clear it first")]
    UpperHalfLive {
        /// The handle.
        handle: u32,
    },
    /// A posted descriptor's address that does not fit 32 bits.
    #[error("descriptor address {address:#x} does not fit 32 bits; number descriptors below 4 GiB")]
    DescriptorTooHigh {
        /// The address.
        address: u64,
    },
    /// Entries are somebody else's to write.
    #[error("the table belongs to whoever programs it; have it written there")]
    Foreign,
    /// The CPU cannot store 128 bits at once.
    #[error("this CPU has no 128-bit store; use a pair table, which hardware cannot read")]
    NoWholeStore,
}

impl<M: EntryMemory + ?Sized> EntryMemory for &M {
    #[inline]
    fn read(&self, handle: u32) -> Option<u128> {
        (**self).read(handle)
    }
    fn write(&self, handle: u32, entry: u128) -> Result<(), TableError> {
        (**self).write(handle, entry)
    }
    fn grow(&self, count: u32) -> Result<u32, TableError> {
        (**self).grow(count)
    }
    fn limit(&self) -> u32 {
        (**self).limit()
    }
}

impl<M: EntryMemory + ?Sized> EntryMemory for alloc::sync::Arc<M> {
    #[inline]
    fn read(&self, handle: u32) -> Option<u128> {
        (**self).read(handle)
    }
    fn write(&self, handle: u32, entry: u128) -> Result<(), TableError> {
        (**self).write(handle, entry)
    }
    fn grow(&self, count: u32) -> Result<u32, TableError> {
        (**self).grow(count)
    }
    fn limit(&self) -> u32 {
        (**self).limit()
    }
}
