// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The completion record (8.2): 32 bytes, little-endian, aligned to 32.

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Bytes in a completion record.
pub const COMPLETION_SIZE: usize = 32;
/// What a completion record's address is a multiple of.
pub const COMPLETION_ALIGN: u64 = 32;

/// A completion record.
///
/// | bytes | field |
/// |---|---|
/// | 0 | status 5:0, write fault 7; never 0 once written |
/// | 1 | result of a comparison or delta record, direction of a move, DIF errors |
/// | 4..8 | bytes completed; descriptors completed (batch) |
/// | 8..16 | fault address |
/// | 16..19 | invalid flags (status 0x11) |
/// | 16..24 | CRC value; size of the delta record (16..20) |
/// | 16..24 | next source tags of a DIF operation |
/// | 24..32 | next destination tags of a DIF operation |
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
pub struct Completion {
    /// Status code and write-fault bit. Written last.
    pub status: u8,
    /// 0 equal, 1 different, 2 different and the delta record is full; 1 for a
    /// move that went backwards; a [`DifMismatch`](super::DifMismatch).
    pub result: u8,
    /// Fault information, not supplied (GENCAP says so).
    pub fault_info: u8,
    /// Unused.
    pub unused: u8,
    /// Bytes or descriptors done before it stopped; 0 when all were, except
    /// that a batch always counts its descriptors. Bytes are those of the
    /// source: with their DIFs where it has them, of the delta record where one
    /// is applied.
    pub completed: U32,
    /// The address that could not be accessed.
    pub fault_address: U64,
    /// Invalid flags, the CRC, the delta record's size, or the source
    /// [`Tags`](super::Tags) the rest is to be checked with.
    pub value: U64,
    /// The destination [`Tags`](super::Tags) the rest is to be written with.
    pub tail: U64,
}

impl Completion {
    /// Reads a record from its bytes.
    pub fn from_bytes(bytes: &[u8; COMPLETION_SIZE]) -> Self {
        zerocopy::transmute!(*bytes)
    }

    /// The record as bytes.
    pub fn to_bytes(self) -> [u8; COMPLETION_SIZE] {
        zerocopy::transmute!(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_lies_where_the_specification_puts_it() {
        let mut bytes = [0u8; COMPLETION_SIZE];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::try_from(at).unwrap();
        }
        let record = Completion::from_bytes(&bytes);
        assert_eq!((record.status, record.result), (0, 1));
        assert_eq!(record.completed.get(), 0x0706_0504);
        assert_eq!(record.fault_address.get(), 0x0f0e_0d0c_0b0a_0908);
        assert_eq!(record.value.get(), 0x1716_1514_1312_1110);
        assert_eq!(record.tail.get(), 0x1f1e_1d1c_1b1a_1918);
        assert_eq!(record.to_bytes(), bytes);
    }
}
