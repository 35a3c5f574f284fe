// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Base address registers: what a function asks for.

use super::layout::bar;

/// A range of address space that a function asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bar {
    pub(crate) kind: Kind,
    pub(crate) size: u64,
    pub(crate) prefetchable: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Memory32,
    Memory64,
    Io,
}

impl Bar {
    /// `size` bytes of memory below 4 GiB: a power of two, 16 bytes to 2 GiB.
    pub const fn memory32(size: u64) -> Self {
        Self::new(Kind::Memory32, size)
    }

    /// `size` bytes of memory anywhere: a power of two, 16 bytes to 2^63. It takes
    /// the next register, too.
    pub const fn memory64(size: u64) -> Self {
        Self::new(Kind::Memory64, size)
    }

    /// `size` bytes of I/O space: a power of two, 4 to 256.
    pub const fn io(size: u64) -> Self {
        Self::new(Kind::Io, size)
    }

    const fn new(kind: Kind, size: u64) -> Self {
        Self {
            kind,
            size,
            prefetchable: false,
        }
    }

    /// Says that reading has no side effects and writes may be merged. Only memory
    /// can be so; the builder refuses it of I/O.
    pub const fn prefetchable(mut self) -> Self {
        self.prefetchable = true;
        self
    }

    /// Its size in bytes.
    pub const fn size(self) -> u64 {
        self.size
    }

    pub(crate) fn is_memory(self) -> bool {
        self.kind != Kind::Io
    }

    /// Whether the next register is its upper half.
    pub(crate) fn is_wide(self) -> bool {
        self.kind == Kind::Memory64
    }

    pub(crate) fn is_possible(self) -> bool {
        let (min, max) = match self.kind {
            Kind::Memory32 => (bar::MEMORY_MIN, bar::MEMORY_32_MAX),
            Kind::Memory64 => (bar::MEMORY_MIN, bar::MEMORY_64_MAX),
            Kind::Io => (bar::IO_MIN, bar::IO_MAX),
        };
        let in_range = (min..=max).contains(&self.size);
        in_range && self.size.is_power_of_two() && (self.is_memory() || !self.prefetchable)
    }

    /// The read-only low bits.
    pub(crate) fn type_bits(self) -> u32 {
        let prefetchable = if self.prefetchable {
            bar::PREFETCHABLE
        } else {
            0
        };
        match self.kind {
            Kind::Memory32 => prefetchable,
            Kind::Memory64 => bar::MEMORY_64 | prefetchable,
            Kind::Io => bar::IO,
        }
    }

    /// The address bits that can be written: all above the size.
    pub(crate) fn address_bits(self) -> u64 {
        !self.size.wrapping_sub(1)
    }
}
