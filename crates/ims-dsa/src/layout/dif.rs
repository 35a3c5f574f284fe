// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Data integrity fields (DIF; 8.3.14 to 8.3.17): what stands after each block,
//! and how it is checked and made.
//!
//! ```text
//!   block: 512, 520, 4096 or 4104 bytes │ guard │ application │ reference
//!                                       │  2 B  │ tag    2 B  │ tag   4 B
//!                                       └─ big-endian, as T10 has them ────
//! ```

use bitfield_struct::bitfield;
use zerocopy::big_endian::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The largest block in bytes, without its DIF.
pub const MAX_BLOCK: usize = 4104;
/// Bytes in a DIF.
pub const TUPLE_SIZE: usize = 8;

/// A data integrity field (T10 SBC-3, 4.22).
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
pub struct Tuple {
    /// CRC-16 of the block.
    pub guard: U16,
    /// What the owner of the data wrote there.
    pub application: U16,
    /// Which block it is.
    pub reference: U32,
}

/// The flags of a DIF operation, bytes 40 to 42 of its descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dif {
    /// How the source's DIFs are checked (check, strip, update).
    pub source: SourceDif,
    /// How the destination's are made (insert, update).
    pub destination: DestinationDif,
    /// What holds for both.
    pub general: GeneralDif,
}

/// DIF flags.
#[bitfield(u8)]
#[derive(PartialEq, Eq)]
pub struct GeneralDif {
    /// 0: 512, 1: 520, 2: 4096, 3: 4104 bytes.
    #[bits(2)]
    pub block: u8,
    /// The guard's CRC starts from 0xffff rather than from 0.
    pub invert_seed: bool,
    /// The guard is the inverse of the CRC.
    pub invert_result: bool,
    /// Reserved.
    #[bits(4)]
    pub reserved: u8,
}

impl GeneralDif {
    /// The block's size in bytes, without its DIF.
    pub const fn block_size(self) -> usize {
        match self.block() {
            0 => 512,
            1 => 520,
            2 => 4096,
            _ => MAX_BLOCK,
        }
    }
}

/// Source DIF flags.
#[bitfield(u8)]
#[derive(PartialEq, Eq)]
pub struct SourceDif {
    /// A DIF found by `all_f` is an error rather than not checked.
    pub all_f_is_error: bool,
    /// A DIF of which every bit is 1 is not checked.
    pub all_f: bool,
    /// A DIF with an application tag of ones is not checked.
    pub application_f: bool,
    /// A DIF with both tags of ones is not checked.
    pub tags_f: bool,
    /// The application tag increments by block.
    pub application_increments: bool,
    /// The guard is not checked.
    pub guard_unchecked: bool,
    /// The reference tag is not checked.
    pub reference_unchecked: bool,
    /// The reference tag is the same for every block; otherwise it increments.
    pub reference_fixed: bool,
}

/// Destination DIF flags.
#[bitfield(u8)]
#[derive(PartialEq, Eq)]
pub struct DestinationDif {
    /// Reserved.
    #[bits(3)]
    pub reserved: u8,
    /// The application tag is the source's.
    pub application_passes: bool,
    /// The application tag increments by block.
    pub application_increments: bool,
    /// The guard is the source's.
    pub guard_passes: bool,
    /// The reference tag is the source's.
    pub reference_passes: bool,
    /// The reference tag is the same for every block; otherwise it increments.
    pub reference_fixed: bool,
}

impl DestinationDif {
    /// Whether anything is taken from the source's DIF.
    pub const fn passes(self) -> bool {
        self.application_passes() || self.guard_passes() || self.reference_passes()
    }
}

/// Tags: of the first block in a descriptor, of the next one in a record.
#[bitfield(u64)]
#[derive(PartialEq, Eq)]
pub struct Tags {
    /// Reference tag.
    pub reference: u32,
    /// Bits of the application tag that do not count.
    pub mask: u16,
    /// Application tag.
    pub application: u16,
}

impl Tags {
    /// The tags of the following block, those incremented that do so; they
    /// wrap.
    pub const fn following(self, application: bool, reference: bool) -> Self {
        self.with_application(self.application().wrapping_add(application as u16))
            .with_reference(self.reference().wrapping_add(reference as u32))
    }
}

/// What a source's DIF was found wrong in: the completion record's result with
/// [`Status::DifError`](super::Status::DifError).
#[bitfield(u8)]
#[derive(PartialEq, Eq)]
pub struct DifMismatch {
    /// The guard is not that of the block.
    pub guard: bool,
    /// The application tag is another.
    pub application: bool,
    /// The reference tag is another.
    pub reference: bool,
    /// Every bit is 1, which the descriptor calls an error.
    pub all_f: bool,
    #[bits(4)]
    __: u8,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tuple_is_big_endian() {
        let tuple = Tuple::read_from_bytes(&[1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
        assert_eq!(size_of::<Tuple>(), TUPLE_SIZE);
        assert_eq!(
            (tuple.guard.get(), tuple.application.get()),
            (0x0102, 0x0304)
        );
        assert_eq!(tuple.reference.get(), 0x0506_0708);
    }

    #[test]
    fn the_flags_stand_where_the_specification_puts_them() {
        let source = [
            SourceDif::new().with_all_f_is_error(true),
            SourceDif::new().with_all_f(true),
            SourceDif::new().with_application_f(true),
            SourceDif::new().with_tags_f(true),
            SourceDif::new().with_application_increments(true),
            SourceDif::new().with_guard_unchecked(true),
            SourceDif::new().with_reference_unchecked(true),
            SourceDif::new().with_reference_fixed(true),
        ];
        assert_eq!(source.map(u8::from), [1, 2, 4, 8, 16, 32, 64, 128]);
        let destination = [
            DestinationDif::new().with_application_passes(true),
            DestinationDif::new().with_application_increments(true),
            DestinationDif::new().with_guard_passes(true),
            DestinationDif::new().with_reference_passes(true),
            DestinationDif::new().with_reference_fixed(true),
        ];
        assert_eq!(destination.map(u8::from), [8, 16, 32, 64, 128]);
        assert_eq!(
            destination.map(DestinationDif::passes),
            [true, false, true, true, false]
        );
        assert_eq!(
            GeneralDif::from(0x04),
            GeneralDif::new().with_invert_seed(true)
        );
        assert_eq!(
            GeneralDif::from(0x08),
            GeneralDif::new().with_invert_result(true)
        );
        let sizes = [0, 1, 2, 3].map(|block| GeneralDif::from(block).block_size());
        assert_eq!(sizes, [512, 520, 4096, 4104]);
        let mismatches = [
            DifMismatch::new().with_guard(true),
            DifMismatch::new().with_application(true),
            DifMismatch::new().with_reference(true),
            DifMismatch::new().with_all_f(true),
        ];
        assert_eq!(mismatches.map(u8::from), [1, 2, 4, 8]);
    }

    #[test]
    fn tags_are_reference_mask_and_application() {
        let tags = Tags::from(0x7766_5544_3322_1100);
        assert_eq!(tags.reference(), 0x3322_1100);
        assert_eq!((tags.mask(), tags.application()), (0x5544, 0x7766));
    }

    #[test]
    fn tags_that_increment_wrap_and_leave_the_others() {
        let last = Tags::from(u64::MAX);
        assert_eq!(last.following(false, false), last);
        assert_eq!(last.following(true, false), last.with_application(0));
        assert_eq!(last.following(false, true), last.with_reference(0));
    }
}
