// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How a device's registers are reached.

/// The registers of one device. Each call is one access.
///
/// An MMIO device has its register block in BAR 0 and no configuration space.
///
/// # Concurrency
/// Any CPU may call, several at a time. A write is done after every write to memory
/// that the caller did before it.
pub trait Registers {
    /// Reads `bytes` (1, 2, 4 or 8) at `offset` of a BAR; little-endian, in the low
    /// bits.
    fn read(&self, bar: u8, offset: u64, bytes: u8) -> u64;

    /// Writes the low `bytes` of `value` there.
    fn write(&self, bar: u8, offset: u64, value: u64, bytes: u8);

    /// Reads 32 bits of configuration space, at a multiple of 4.
    fn read_config(&self, offset: u16) -> u32 {
        let _ = offset;
        u32::MAX
    }

    /// Writes 32 bits of configuration space.
    fn write_config(&self, offset: u16, value: u32) {
        let _ = (offset, value);
    }
}

impl<R: Registers + ?Sized> Registers for &R {
    fn read(&self, bar: u8, offset: u64, bytes: u8) -> u64 {
        (**self).read(bar, offset, bytes)
    }

    fn write(&self, bar: u8, offset: u64, value: u64, bytes: u8) {
        (**self).write(bar, offset, value, bytes);
    }

    fn read_config(&self, offset: u16) -> u32 {
        (**self).read_config(offset)
    }

    fn write_config(&self, offset: u16, value: u32) {
        (**self).write_config(offset, value);
    }
}

/// The low 32 bits of what was read.
pub(crate) fn low(value: u64) -> u32 {
    u32::try_from(value & u64::from(u32::MAX)).unwrap_or(u32::MAX)
}

/// Both halves of an address, low half first.
pub(crate) fn halves(value: u64) -> [u32; 2] {
    [low(value), low(value >> 32)]
}
