// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where gates are: in the driver's memory.

use core::sync::atomic::AtomicU32;

use ims::sync::{AtomicU64, Ordering};
use vm_memory::bitmap::Bitmap;
use vm_memory::{GuestAddress, GuestMemory, Permissions, VolatileMemory};

use super::gate::{Looked, Word};
use crate::memory::Memory;

/// Somewhere that gates are.
pub(crate) trait Gates {
    /// The words.
    type Word: Word;

    /// Lets `look` have a vector's gate; `None` if it cannot be reached.
    fn with<T>(&self, vector: u32, look: impl FnOnce(&Self::Word) -> Looked<T>) -> Option<T>;
}

/// Gates at equal distances in memory.
///
/// # Concurrency
/// They are placed while nobody looks.
#[derive(Debug)]
pub(crate) struct InMemory<M> {
    memory: M,
    base: AtomicU64,
    shift: AtomicU64,
}

impl<M> InMemory<M> {
    /// Nowhere yet.
    pub(crate) fn new(memory: M) -> Self {
        Self {
            memory,
            base: AtomicU64::new(0),
            shift: AtomicU64::new(0),
        }
    }

    /// The memory that they are in.
    pub(crate) fn memory(&self) -> &M {
        &self.memory
    }

    /// They begin at `base`, `1 << shift` bytes apart. Nobody looks now.
    pub(crate) fn place(&self, base: u64, shift: u32) {
        // Relaxed: whoever looks has seen the store be enabled since.
        self.base.store(base, Ordering::Relaxed);
        self.shift.store(shift.into(), Ordering::Relaxed);
    }
}

/// A word in memory, little-endian.
impl Word for AtomicU32 {
    #[inline]
    fn load(&self, order: Ordering) -> u32 {
        u32::from_le(Self::load(self, order))
    }

    #[inline]
    fn exchange(&self, now: u32, new: u32, ok: Ordering, not: Ordering) -> Result<(), u32> {
        self.compare_exchange(now.to_le(), new.to_le(), ok, not)
            .map(drop)
            .map_err(u32::from_le)
    }
}

impl<M: Memory> Gates for InMemory<M> {
    type Word = AtomicU32;

    #[inline]
    fn with<T>(&self, vector: u32, look: impl FnOnce(&AtomicU32) -> Looked<T>) -> Option<T> {
        let shift = u32::try_from(self.shift.load(Ordering::Relaxed)).ok()?;
        let offset = u64::from(vector).checked_shl(shift)?;
        let at = self.base.load(Ordering::Relaxed).checked_add(offset)?;
        let session = self.memory.enter()?;
        let bytes = size_of::<AtomicU32>();
        let mut slices = session
            .get_slices(GuestAddress(at), bytes, Permissions::ReadWrite)
            .ok()?;
        let slice = slices.next()?.ok()?;
        // A word that is in two regions, or not aligned where this process has it, is
        // no atomic word.
        if slice.len() != bytes {
            return None;
        }
        let looked = look(slice.get_atomic_ref::<AtomicU32>(0).ok()?);
        if looked.wrote {
            slice.bitmap().mark_dirty(0, bytes);
        }
        Some(looked.what)
    }
}
