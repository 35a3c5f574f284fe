// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Why the control half refuses.

use super::entry::EntryError;
use super::invalidate::InvalidateError;
use super::table::TableError;

/// Why the control half refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// The handle is not allocated.
    #[error("entry {handle} is not allocated; allocate it first")]
    NotAllocated {
        /// The handle.
        handle: u32,
    },
    /// The entry is present.
    #[error("entry {handle} is present; retarget it, or clear it first")]
    Present {
        /// The handle.
        handle: u32,
    },
    /// The entry is not present.
    #[error("entry {handle} is not present; bind it first")]
    NotPresent {
        /// The handle.
        handle: u32,
    },
    /// An earlier invalidation of the entry failed.
    #[error("the old entry {handle} may still be in use; invalidate it successfully first")]
    Lingering {
        /// The handle.
        handle: u32,
    },
    /// EIME cannot change under entries that are laid out for it.
    #[error("extended interrupt mode cannot change while handles are allocated; release them")]
    ModeInUse,
    /// The table cannot be cut below handles that were handed out.
    #[error("a table of {entries} entries would cut off handles in use; it needs {needed}")]
    TableInUse {
        /// How many entries were asked for.
        entries: u32,
        /// How many are needed at least.
        needed: u32,
    },
    /// The table refused.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The entry cannot be expressed.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// The entry was written, but its old value may still be in use.
    #[error("entry written, but its old value may still be in use: {0}")]
    Invalidate(#[from] InvalidateError),
}
