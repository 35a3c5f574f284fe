// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The descriptor (8.1): 64 bytes, little-endian.

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::dif::{Dif, Tags};
use super::flags::Flags;

/// Bytes in a descriptor.
pub const DESCRIPTOR_SIZE: usize = 64;

/// A descriptor, as software wrote it and unchecked.
///
/// | bytes | field |
/// |---|---|
/// | 0..4 | PASID 19:0, privileged 31; trusted only at a portal, ignored here |
/// | 4..7 | flags |
/// | 7 | operation |
/// | 8..16 | completion record address |
/// | 16..24 | source; pattern (fill); descriptor list (batch); delta record (apply) |
/// | 24..32 | destination; second source (compare, create delta); pattern (compare pattern) |
/// | 32..36 | transfer size in bytes; descriptor count (batch) |
/// | 36..38 | completion interrupt handle |
/// | 40 | expected result (compare, compare pattern) |
/// | 40..48 | second destination (dualcast); CRC seed (40..44) |
/// | 40..48 | delta record's address (create) or size (40..44, apply) |
/// | 40..43 | source, destination and general DIF flags |
/// | 48..56 | CRC seed address; room for the delta record (48..52); source tags |
/// | 56..64 | expected delta results (56); destination tags |
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
pub struct Descriptor {
    /// PASID and privilege. Where a descriptor comes from decides both; this
    /// copy of them is not looked at.
    pub trusted: U32,
    /// Flags (23:0) and operation (31:24).
    pub command: U32,
    /// Where the completion record goes.
    pub completion: U64,
    /// Source, fill pattern or descriptor list.
    pub source: U64,
    /// Destination, second source or pattern to compare with.
    pub destination: U64,
    /// Bytes to transfer, or descriptors in the batch.
    pub size: U32,
    /// Handle of the completion interrupt.
    pub handle: U16,
    /// Reserved.
    pub reserved: U16,
    /// Second destination, CRC seed, delta record, DIF flags, or expected
    /// result in its lowest byte.
    pub extra: U64,
    /// Where the CRC seed is read from, room for the delta record, or source
    /// tags.
    pub seed_address: U64,
    /// Expected results of a created delta record, or destination tags.
    pub tail: U64,
}

/// A range of descriptor bytes, first and one past the last.
pub type Span = (usize, usize);

impl Descriptor {
    /// Reads a descriptor from its bytes.
    pub fn from_bytes(bytes: &[u8; DESCRIPTOR_SIZE]) -> Self {
        zerocopy::transmute!(*bytes)
    }

    /// A descriptor of operation code `opcode` with `flags`, all else zero.
    pub fn new(opcode: impl Into<u8>, flags: Flags) -> Self {
        let command = u32::from(opcode.into()) << 24 | flags.bits();
        Self {
            command: U32::new(command),
            ..Self::default()
        }
    }

    /// The operation code, known or not.
    pub fn opcode(&self) -> u8 {
        self.command.get().to_le_bytes()[3]
    }

    /// The flags.
    pub fn flags(&self) -> Flags {
        Flags::from_bits(self.command.get())
    }

    /// The expected result of a comparison (bit 0; the others are ignored).
    pub fn expected_result(&self) -> u8 {
        self.extra.as_bytes().first().map_or(0, |byte| byte & 1)
    }

    /// The CRC seed carried in the descriptor.
    pub fn seed(&self) -> u32 {
        low(self.extra)
    }

    /// Where a delta record is created.
    pub fn delta_address(&self) -> u64 {
        self.extra.get()
    }

    /// The bytes there are for a created delta record.
    pub fn delta_room(&self) -> u32 {
        low(self.seed_address)
    }

    /// The bytes of the delta record to apply.
    pub fn delta_size(&self) -> u32 {
        low(self.extra)
    }

    /// Whether the results a created delta record may have include `result`
    /// (bits 2:0; the others are ignored).
    pub fn expects_delta(&self, result: u8) -> bool {
        (low(self.tail) & 0b111)
            .checked_shr(result.into())
            .unwrap_or(0)
            & 1
            != 0
    }

    /// The flags of a DIF operation.
    pub fn dif(&self) -> Dif {
        let [source, destination, general, ..] = self.extra.get().to_le_bytes();
        Dif {
            source: source.into(),
            destination: destination.into(),
            general: general.into(),
        }
    }

    /// What the first source block's DIF is checked with.
    pub fn source_tags(&self) -> Tags {
        self.seed_address.get().into()
    }

    /// What the first destination block's DIF is made with.
    pub fn destination_tags(&self) -> Tags {
        self.tail.get().into()
    }

    /// Whether every byte in `spans` is zero.
    pub fn is_zero(&self, spans: &[Span]) -> bool {
        let bytes = self.as_bytes();
        spans.iter().all(|&(from, to)| {
            bytes
                .get(from..to)
                .is_some_and(|part| part.iter().all(|b| *b == 0))
        })
    }
}

/// The first four bytes of a field.
fn low(field: U64) -> u32 {
    let [a, b, c, d, ..] = field.get().to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Opcode;

    #[test]
    fn every_field_lies_where_the_specification_puts_it() {
        let mut bytes = [0u8; DESCRIPTOR_SIZE];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::try_from(at).unwrap();
        }
        let descriptor = Descriptor::from_bytes(&bytes);
        assert_eq!(descriptor.opcode(), 7);
        assert_eq!(descriptor.flags().bits(), 0x06_0504);
        assert_eq!(descriptor.completion.get(), 0x0f0e_0d0c_0b0a_0908);
        assert_eq!(descriptor.source.get(), 0x1716_1514_1312_1110);
        assert_eq!(descriptor.destination.get(), 0x1f1e_1d1c_1b1a_1918);
        assert_eq!(descriptor.size.get(), 0x2322_2120);
        assert_eq!(descriptor.handle.get(), 0x2524);
        assert_eq!(descriptor.extra.get(), 0x2f2e_2d2c_2b2a_2928);
        assert_eq!(descriptor.seed(), 0x2b2a_2928);
        assert_eq!(descriptor.expected_result(), 0x28 & 1);
        assert_eq!(descriptor.seed_address.get(), 0x3736_3534_3332_3130);
        assert_eq!(descriptor.delta_address(), 0x2f2e_2d2c_2b2a_2928);
        assert_eq!(descriptor.delta_size(), 0x2b2a_2928);
        assert_eq!(descriptor.delta_room(), 0x3332_3130);
        let dif = descriptor.dif();
        let flags: [u8; 3] = [
            dif.source.into(),
            dif.destination.into(),
            dif.general.into(),
        ];
        assert_eq!(flags, [0x28, 0x29, 0x2a]);
        let (source, destination) = (descriptor.source_tags(), descriptor.destination_tags());
        assert_eq!(
            (source.reference(), source.mask(), source.application()),
            (0x3332_3130, 0x3534, 0x3736)
        );
        assert_eq!(
            (
                destination.reference(),
                destination.mask(),
                destination.application()
            ),
            (0x3b3a_3938, 0x3d3c, 0x3f3e)
        );
    }

    #[test]
    fn each_delta_result_has_a_bit_of_its_own() {
        for mask in 0..=255u8 {
            let descriptor = Descriptor {
                tail: U64::new(mask.into()),
                ..Descriptor::default()
            };
            let expected = [mask & 1 != 0, mask & 2 != 0, mask & 4 != 0, false];
            assert_eq!([0, 1, 2, 3].map(|r| descriptor.expects_delta(r)), expected);
            assert!(!descriptor.expects_delta(255));
        }
    }

    #[test]
    fn a_new_descriptor_carries_its_operation_and_flags() {
        let descriptor = Descriptor::new(Opcode::Dualcast, Flags::FENCE | Flags::REQUEST_RECORD);
        assert_eq!(descriptor.opcode(), 9);
        assert_eq!(descriptor.flags(), Flags::FENCE | Flags::REQUEST_RECORD);
        assert!(descriptor.is_zero(&[(0, 4), (8, 64)]));
        assert!(!descriptor.is_zero(&[(4, 8)]));
    }
}
