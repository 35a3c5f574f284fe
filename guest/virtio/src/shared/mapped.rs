// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Memory by a pointer: what a unikernel has.
#![allow(unsafe_code, reason = "memory begins as a pointer here")]

use core::ptr::NonNull;
use core::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};

use super::Shared;

/// Memory at an address of the driver's, which the device has under another.
#[derive(Debug)]
pub struct Mapped {
    base: NonNull<u8>,
    length: usize,
    bus: u64,
}

// SAFETY: the memory is reached by atomic accesses alone, and `new`'s caller has
// promised that it stays, whoever has the value.
unsafe impl Send for Mapped {}
// SAFETY: as above; all methods take `&self` and access atomically.
unsafe impl Sync for Mapped {}

impl Mapped {
    /// `length` bytes from `base` on, that the device finds at `bus`.
    ///
    /// # Safety
    /// For as long as the value and what it lends are there, all bytes are mapped,
    /// readable and writable, and this program accesses them by atomic accesses only
    /// (of the same size where two may meet), as those of this crate are.
    pub const unsafe fn new(base: NonNull<u8>, length: usize, bus: u64) -> Self {
        Self { base, length, bus }
    }

    /// A pointer to a word that is all inside and aligned.
    fn word<T>(&self, offset: usize) -> Option<*mut T> {
        let end = offset.checked_add(size_of::<T>())?;
        if end > self.length {
            return None;
        }
        // SAFETY: `offset` is in the range that `new`'s caller has promised.
        let word = unsafe { self.base.as_ptr().add(offset) }.cast::<T>();
        word.is_aligned().then_some(word)
    }

    /// Bytes that are all inside.
    fn bytes(&self, offset: usize, length: usize) -> Option<impl Iterator<Item = &AtomicU8>> {
        let end = offset.checked_add(length)?;
        // `word` answers for each byte, so the walk ends early nowhere.
        (end <= self.length).then(|| {
            (offset..end).filter_map(|at| {
                let byte = self.word::<u8>(at)?;
                // SAFETY: in the range, as `word` has found; the promise of `new`
                // covers how it is accessed.
                Some(unsafe { AtomicU8::from_ptr(byte) })
            })
        })
    }
}

impl Shared for Mapped {
    fn bus_address(&self) -> u64 {
        self.bus
    }

    fn len(&self) -> usize {
        self.length
    }

    fn word16(&self, offset: usize) -> Option<&AtomicU16> {
        let word = self.word::<u16>(offset)?;
        // SAFETY: inside and aligned, as `word` has found; lent for no longer than
        // `self`, for which `new`'s caller has promised.
        Some(unsafe { AtomicU16::from_ptr(word) })
    }

    fn word32(&self, offset: usize) -> Option<&AtomicU32> {
        let word = self.word::<u32>(offset)?;
        // SAFETY: as for 16 bits.
        Some(unsafe { AtomicU32::from_ptr(word) })
    }

    fn word64(&self, offset: usize) -> Option<&AtomicU64> {
        let word = self.word::<u64>(offset)?;
        // SAFETY: as for 16 bits.
        Some(unsafe { AtomicU64::from_ptr(word) })
    }

    fn read(&self, offset: usize, into: &mut [u8]) -> Option<()> {
        let bytes = self.bytes(offset, into.len())?;
        for (to, byte) in into.iter_mut().zip(bytes) {
            *to = byte.load(Ordering::Relaxed);
        }
        Some(())
    }

    fn write(&self, offset: usize, from: &[u8]) -> Option<()> {
        let bytes = self.bytes(offset, from.len())?;
        for (value, byte) in from.iter().zip(bytes) {
            byte.store(*value, Ordering::Relaxed);
        }
        Some(())
    }
}
