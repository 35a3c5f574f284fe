// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Operation status (5.8.1): how a descriptor ended.

/// Bit 7 of the status byte: the faulting access was a write.
pub const WRITE_FAULT: u8 = 1 << 7;

/// How a descriptor ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum Status {
    /// Done.
    Success = 0x01,
    /// Done; the comparison's result was not the expected one.
    FalsePredicate = 0x02,
    /// Stopped at a page fault; the record says where and how far it got.
    PageFault = 0x03,
    /// At least one descriptor of the batch did not succeed.
    BatchFailed = 0x05,
    /// The descriptor list could not be read.
    BatchPageFault = 0x06,
    /// The offsets in a delta record do not increase (8.3.9).
    DeltaOrder = 0x07,
    /// An offset in a delta record is beyond the transfer size (8.3.9).
    DeltaRange = 0x08,
    /// A block's DIF is not as expected; the record's result says what of it
    /// (8.3.14).
    DifError = 0x09,
    /// No such operation, or not here.
    InvalidOpcode = 0x10,
    /// A flag that is reserved, unsupported or missing.
    InvalidFlags = 0x11,
    /// A reserved field is not zero.
    ReservedNotZero = 0x12,
    /// Nothing to transfer, more than the queue or a delta record's offsets
    /// allow, or not whole DIF blocks.
    TransferSize = 0x13,
    /// Too few or too many descriptors in the batch.
    DescriptorCount = 0x14,
    /// A delta record has no entry, not whole entries, or room for too few.
    DeltaRecordSize = 0x15,
    /// What is written overlaps what is read.
    Overlap = 0x16,
    /// Bits 11:0 of a dualcast's destinations differ.
    DualcastAlignment = 0x17,
    /// The descriptor list is not aligned to 64 bytes.
    ListAlignment = 0x18,
    /// The completion interrupt's handle is not valid for this submitter.
    InvalidHandle = 0x19,
    /// The completion record cannot be written.
    RecordPageFault = 0x1a,
    /// The completion record is not aligned to 32 bytes.
    RecordAlignment = 0x1b,
    /// The CRC seed's address is not aligned to 4 bytes, or an address or the
    /// transfer size of a delta operation not to 8.
    AddressAlignment = 0x1c,
}

impl Status {
    /// The code, bits 5:0 of a record's first byte.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// Whether a record for this is written only on request (8.1.3, bit 3).
    pub const fn is_quiet(self) -> bool {
        matches!(
            self,
            Self::Success | Self::FalsePredicate | Self::BatchFailed
        )
    }
}
