// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Memory that driver and device both see.

mod mapped;
#[cfg(test)]
mod tests;
#[cfg(feature = "vm-memory")]
mod window;

use core::sync::atomic::{AtomicU16, AtomicU32, AtomicU64};

pub use mapped::Mapped;
#[cfg(feature = "vm-memory")]
pub use window::Window;

/// A piece of memory that the device reaches at its bus address, little-endian.
///
/// Words are atomic because the other side writes at any time.
///
/// # Concurrency
/// Any CPU may call, several at a time.
pub trait Shared {
    /// Where the device finds the first byte.
    fn bus_address(&self) -> u64;

    /// How many bytes there are.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The word at `offset`; `None` if it is not all inside, or not aligned.
    fn word16(&self, offset: usize) -> Option<&AtomicU16>;

    /// The same of 32 bits.
    fn word32(&self, offset: usize) -> Option<&AtomicU32>;

    /// The same of 64 bits.
    fn word64(&self, offset: usize) -> Option<&AtomicU64>;

    /// Copies out; `None`, and `into` as it was, if it is not all inside.
    fn read(&self, offset: usize, into: &mut [u8]) -> Option<()>;

    /// Copies in; `None`, and nothing changed, if it is not all inside.
    fn write(&self, offset: usize, from: &[u8]) -> Option<()>;
}

impl<S: Shared + ?Sized> Shared for &S {
    fn bus_address(&self) -> u64 {
        (**self).bus_address()
    }

    fn len(&self) -> usize {
        (**self).len()
    }

    fn word16(&self, offset: usize) -> Option<&AtomicU16> {
        (**self).word16(offset)
    }

    fn word32(&self, offset: usize) -> Option<&AtomicU32> {
        (**self).word32(offset)
    }

    fn word64(&self, offset: usize) -> Option<&AtomicU64> {
        (**self).word64(offset)
    }

    fn read(&self, offset: usize, into: &mut [u8]) -> Option<()> {
        (**self).read(offset, into)
    }

    fn write(&self, offset: usize, from: &[u8]) -> Option<()> {
        (**self).write(offset, from)
    }
}
