// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Operations (8.1.2), and sets of them as OPCAP and WQCFG hold (9.2.7).

/// An operation this device can execute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum Opcode {
    /// Nothing, but with a completion.
    NoOp = 0x00,
    /// A list of descriptors.
    Batch = 0x01,
    /// Waits for the descriptors before it.
    Drain = 0x02,
    /// Copies memory; source and destination may overlap.
    MemoryMove = 0x03,
    /// Fills memory with an 8-byte pattern.
    Fill = 0x04,
    /// Compares two stretches of memory.
    Compare = 0x05,
    /// Compares memory with an 8-byte pattern.
    ComparePattern = 0x06,
    /// Writes down what differs between two stretches of memory.
    CreateDelta = 0x07,
    /// Brings memory up to date from such a record.
    ApplyDelta = 0x08,
    /// Copies memory to two places.
    Dualcast = 0x09,
    /// CRC32-C of memory.
    Crc = 0x10,
    /// Copies memory and computes its CRC32-C.
    CopyCrc = 0x11,
    /// Checks the data integrity field (DIF) of each block.
    DifCheck = 0x12,
    /// Copies blocks and puts a DIF after each.
    DifInsert = 0x13,
    /// Checks the DIF of each block and copies without them.
    DifStrip = 0x14,
    /// Checks the DIF of each block and copies with new ones.
    DifUpdate = 0x15,
    /// Flushes memory from the processor's caches.
    CacheFlush = 0x20,
}

impl Opcode {
    /// Every operation, in the order of their codes.
    pub const ALL: [Self; 17] = [
        Self::NoOp,
        Self::Batch,
        Self::Drain,
        Self::MemoryMove,
        Self::Fill,
        Self::Compare,
        Self::ComparePattern,
        Self::CreateDelta,
        Self::ApplyDelta,
        Self::Dualcast,
        Self::Crc,
        Self::CopyCrc,
        Self::DifCheck,
        Self::DifInsert,
        Self::DifStrip,
        Self::DifUpdate,
        Self::CacheFlush,
    ];

    /// The operation with this code.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|opcode| *opcode as u8 == code)
    }
}

impl From<Opcode> for u8 {
    fn from(opcode: Opcode) -> Self {
        opcode as Self
    }
}

/// A set of operation codes, a bit each; codes from 64 up belong to none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OperationSet(u64);

impl OperationSet {
    /// Every operation this device can execute: its OPCAP.
    pub const ALL: Self = {
        let mut bits = 0;
        let mut rest: &[Opcode] = &Opcode::ALL;
        while let [first, others @ ..] = rest {
            bits |= 1 << *first as u8;
            rest = others;
        }
        Self(bits)
    };

    /// The operations of `bits` (low quadword of OPCAP) that exist here.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits & Self::ALL.0)
    }

    /// The low quadword of OPCAP.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Whether `opcode` is in the set.
    pub const fn contains(self, opcode: Opcode) -> bool {
        self.0 >> opcode as u8 & 1 != 0
    }
}

impl Default for OperationSet {
    fn default() -> Self {
        Self::ALL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_implemented_codes_are_operations() {
        let known: Vec<u8> = (0..=255)
            .filter(|code| Opcode::from_code(*code).is_some())
            .collect();
        let expected: Vec<u8> = (0..=9).chain(0x10..=0x15).chain([0x20]).collect();
        assert_eq!(known, expected);
        assert_eq!(OperationSet::ALL.bits(), 0x1_003f_03ff);
    }

    #[test]
    fn a_set_holds_no_operation_that_does_not_exist() {
        assert_eq!(OperationSet::from_bits(u64::MAX), OperationSet::ALL);
        let set = OperationSet::from_bits(1 << 3);
        assert!(set.contains(Opcode::MemoryMove));
        assert!(!set.contains(Opcode::Fill));
    }
}
