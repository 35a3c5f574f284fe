// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The interrupt remapping table entry's layout (VT-d 9.9, 9.10): 128 bits in
//! one of two forms, told apart by IM.
//!
//! | bits | remapped (IM = 0) | posted (IM = 1) |
//! |---|---|---|
//! | 0 | P, present | P |
//! | 1 | FPD, faults not recorded | FPD |
//! | 2 | DM, logical destination | reserved |
//! | 3 | RH, redirection hint | reserved |
//! | 4 | TM, level | reserved |
//! | 7:5 | DLM, delivery mode | reserved |
//! | 11:8 | AVAIL, software's | AVAIL |
//! | 13:12 | reserved | reserved |
//! | 14 | reserved | URG, urgent |
//! | 15 | IM = 0 | IM = 1 |
//! | 23:16 | V, vector | VV, virtual vector |
//! | 31:24 | reserved | reserved |
//! | 37:32 | DST | reserved |
//! | 63:38 | DST | PDAL, descriptor address 31:6 |
//! | 79:64 | SID, source id | SID |
//! | 81:80 | SQ, qualifier | SQ |
//! | 83:82 | SVT, validation | SVT |
//! | 95:84 | reserved | reserved |
//! | 127:96 | reserved | PDAH, descriptor address 63:32 |

use bitfield_struct::bitfield;

/// An entry that delivers to a CPU (VT-d 9.9).
#[bitfield(u128)]
#[derive(PartialEq, Eq)]
pub struct RemappedIrte {
    /// P: the entry is present.
    pub present: bool,
    /// FPD: qualified faults are not recorded.
    pub fault_processing_disabled: bool,
    /// DM: logical rather than physical destination.
    pub logical: bool,
    /// RH: any one of the named CPUs may take it.
    pub redirection_hint: bool,
    /// TM: level rather than edge.
    pub level: bool,
    /// DLM: delivery mode.
    #[bits(3)]
    pub delivery: u8,
    /// AVAIL: software's own.
    #[bits(4)]
    pub available: u8,
    #[bits(3)]
    __: u8,
    /// IM: clear in this form.
    pub posted: bool,
    /// V: vector.
    pub vector: u8,
    #[bits(8)]
    __: u8,
    /// DST: destination, laid out as EIME says.
    pub destination: u32,
    /// SID: source id.
    pub source_id: u16,
    /// SQ: which bits of SID are compared.
    #[bits(2)]
    pub qualifier: u8,
    /// SVT: what SID means.
    #[bits(2)]
    pub validation: u8,
    #[bits(44)]
    __: u64,
}

/// An entry that posts to a descriptor (VT-d 9.10).
#[bitfield(u128)]
#[derive(PartialEq, Eq)]
pub struct PostedIrte {
    /// P: the entry is present.
    pub present: bool,
    /// FPD: qualified faults are not recorded.
    pub fault_processing_disabled: bool,
    #[bits(6)]
    __: u8,
    /// AVAIL: software's own.
    #[bits(4)]
    pub available: u8,
    #[bits(2)]
    __: u8,
    /// URG: notify even while notifications are suppressed.
    pub urgent: bool,
    /// IM: set in this form.
    pub posted: bool,
    /// VV: the vector to make pending.
    pub vector: u8,
    #[bits(14)]
    __: u16,
    /// PDAL: bits 31:6 of the descriptor's address.
    #[bits(26)]
    pub address_low: u32,
    /// SID: source id.
    pub source_id: u16,
    /// SQ: which bits of SID are compared.
    #[bits(2)]
    pub qualifier: u8,
    /// SVT: what SID means.
    #[bits(2)]
    pub validation: u8,
    #[bits(12)]
    __: u16,
    /// PDAH: bits 63:32 of the descriptor's address.
    pub address_high: u32,
}

/// P, in either form.
pub const PRESENT: u128 = 1;
/// FPD, in either form.
pub const FAULT_PROCESSING_DISABLED: u128 = 1 << 1;
/// IM: the entry has the posted form.
pub const POSTED: u128 = 1 << 15;
/// SID, SQ and SVT, in either form.
pub const SOURCE: u128 = 0xf_ffff << 64;

/// Bits that must be zero in the remapped form: 14:12, 31:24, 127:84.
pub const REMAPPED_RESERVED: u128 = 0x7 << 12 | 0xff << 24 | u128::MAX << 84;
/// Bits of DST that must be zero as well without EIME: all but 47:40.
pub const XAPIC_RESERVED: u128 = 0xff << 32 | 0xffff << 48;
/// Bits that must be zero in the posted form: 7:2, 13:12, 37:24, 95:84.
pub const POSTED_RESERVED: u128 = 0x3f << 2 | 0x3 << 12 | 0x3fff << 24 | 0xfff << 84;

/// Lowest bit of an xAPIC destination within DST.
pub const XAPIC_DESTINATION_SHIFT: u32 = 8;
/// Lowest bit of the descriptor address that an entry holds: it is 64-aligned.
pub const DESCRIPTOR_ALIGNMENT_BITS: u32 = 6;

/// SVT: any requester.
pub const SVT_ANY: u8 = 0;
/// SVT: the requester in SID, compared as SQ says.
pub const SVT_REQUESTER: u8 = 1;
/// SVT: a requester on a bus from SID 15:8 up to SID 7:0.
pub const SVT_BUS_RANGE: u8 = 2;

/// The most entries a table may have: S is four bits, and a table has 2^(S+1)
/// entries (VT-d chapter 11, IRTA_REG).
pub const MAX_ENTRIES: u32 = 65_536;
/// The fewest entries a table may have.
pub const MIN_ENTRIES: u32 = 2;

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_fields_stand_where_the_specification_puts_them() {
        let all = RemappedIrte::new()
            .with_present(true)
            .with_fault_processing_disabled(true)
            .with_logical(true)
            .with_redirection_hint(true)
            .with_level(true)
            .with_delivery(7)
            .with_available(15)
            .with_posted(true)
            .with_vector(0xff)
            .with_destination(u32::MAX)
            .with_source_id(0xffff)
            .with_qualifier(3)
            .with_validation(3);
        assert_eq!(all.into_bits(), !REMAPPED_RESERVED);
        assert_eq!(RemappedIrte::new().with_destination(1).into_bits(), 1 << 32);
        assert_eq!(RemappedIrte::new().with_validation(1).into_bits(), 1 << 82);

        let all = PostedIrte::new()
            .with_present(true)
            .with_fault_processing_disabled(true)
            .with_available(15)
            .with_urgent(true)
            .with_posted(true)
            .with_vector(0xff)
            .with_address_low(0x3ff_ffff)
            .with_source_id(0xffff)
            .with_qualifier(3)
            .with_validation(3)
            .with_address_high(u32::MAX);
        assert_eq!(all.into_bits(), !POSTED_RESERVED);
        assert_eq!(PostedIrte::new().with_address_low(1).into_bits(), 1 << 38);
        assert_eq!(PostedIrte::new().with_address_high(1).into_bits(), 1 << 96);
    }

    #[test]
    fn both_forms_share_the_bits_named_for_both() {
        assert_eq!(RemappedIrte::new().with_present(true).into_bits(), PRESENT);
        let fpd = PostedIrte::new()
            .with_fault_processing_disabled(true)
            .into_bits();
        assert_eq!(fpd, FAULT_PROCESSING_DISABLED);
        assert_eq!(RemappedIrte::new().with_posted(true).into_bits(), POSTED);
        let source = PostedIrte::new()
            .with_source_id(0xffff)
            .with_qualifier(3)
            .with_validation(3);
        assert_eq!(source.into_bits(), SOURCE);
    }
}
