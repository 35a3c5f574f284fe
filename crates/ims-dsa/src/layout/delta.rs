// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Delta records (8.3.8, 8.3.9): which words of memory are to change, and to
//! what.

use zerocopy::little_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// What the addresses and the transfer size of a delta operation are multiples
/// of: memory is compared by words of this size.
pub const DELTA_ALIGN: u32 = 8;
/// Bytes in an entry.
pub const DELTA_ENTRY_SIZE: usize = 10;
/// The largest transfer in bytes: a word further on has no 16-bit offset.
pub const MAX_DELTA_TRANSFER: u32 = 0x8_0000;
/// The least room for a created delta record, in bytes.
pub const MIN_DELTA_ROOM: u32 = 80;

/// An entry of a delta record.
///
/// | bytes | field |
/// |---|---|
/// | 0..2 | offset of the word in the transfer, in words; greater than the last |
/// | 2..10 | the word's new bytes |
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Default,
    FromBytes,
    IntoBytes,
    KnownLayout,
    Immutable,
    Unaligned,
)]
#[repr(C)]
pub struct DeltaEntry {
    /// Where, in words of [`DELTA_ALIGN`] bytes.
    pub offset: U16,
    /// What.
    pub data: [u8; DELTA_ALIGN as usize],
}

/// How creating a delta record turned out: the completion record's result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum DeltaResult {
    /// The sources are equal and the record is empty.
    Equal = 0,
    /// They differ, and the record holds all of it.
    Complete = 1,
    /// They differ by more than the record had room for.
    Overflow = 2,
}

impl From<DeltaResult> for u8 {
    fn from(result: DeltaResult) -> Self {
        result as Self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_an_offset_and_a_word() {
        let entry = DeltaEntry::read_from_bytes(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]).unwrap();
        assert_eq!(size_of::<DeltaEntry>(), DELTA_ENTRY_SIZE);
        assert_eq!(entry.offset.get(), 0x0201);
        assert_eq!(entry.data, [3, 4, 5, 6, 7, 8, 9, 10]);
    }

    #[test]
    fn the_largest_transfer_is_what_sixteen_bits_of_words_reach() {
        assert_eq!(MAX_DELTA_TRANSFER, (u32::from(u16::MAX) + 1) * DELTA_ALIGN);
    }
}
