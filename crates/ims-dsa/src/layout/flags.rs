// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Descriptor flags (8.1.3): 24 bits.

use core::ops::{BitAnd, BitOr, Not};

/// A set of descriptor flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct Flags(u32);

impl Flags {
    /// None.
    pub const NONE: Self = Self(0);
    /// Wait for the earlier descriptors of the batch; be abandoned if one of
    /// them did not succeed.
    pub const FENCE: Self = Self(1 << 0);
    /// Wait for a page fault to be resolved rather than stop at it.
    pub const BLOCK_ON_FAULT: Self = Self(1 << 1);
    /// The completion record address is valid.
    pub const RECORD_VALID: Self = Self(1 << 2);
    /// Write a completion record for success too.
    pub const REQUEST_RECORD: Self = Self(1 << 3);
    /// Raise the interrupt of the handle on completion.
    pub const REQUEST_INTERRUPT: Self = Self(1 << 4);
    /// A comparison's result decides between success and false predicate.
    pub const CHECK_RESULT: Self = Self(1 << 7);
    /// Write to cache rather than to memory (cache control 1). In a cache
    /// flush: write back, but keep the lines.
    pub const CACHE_CONTROL: Self = Self(1 << 8);
    /// Traffic class of the source.
    pub const TC_ADDRESS_1: Self = Self(1 << 9);
    /// Traffic class of the destination, or of the second source.
    pub const TC_ADDRESS_2: Self = Self(1 << 10);
    /// Traffic class of the second destination, of the CRC seed, or of the
    /// delta record created.
    pub const TC_ADDRESS_3: Self = Self(1 << 11);
    /// Traffic class of the completion record.
    pub const TC_RECORD: Self = Self(1 << 12);
    /// Writes become visible in order.
    pub const STRICT_ORDER: Self = Self(1 << 13);
    /// Read the destination back before completing (cache control 2).
    pub const READBACK: Self = Self(1 << 14);
    /// Read the CRC seed from memory (CRC operations, 8.3.12).
    pub const READ_SEED: Self = Self(1 << 16);
    /// Neither invert nor reflect CRC seed and result.
    pub const BYPASS_CRC_REFLECTION: Self = Self(1 << 17);
    /// Bit 7 of each byte goes first into the CRC.
    pub const BYPASS_DATA_REFLECTION: Self = Self(1 << 18);

    /// The flags among `bits`; the operation code above them is cut off.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits & 0x00ff_ffff)
    }

    /// The bits.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Whether all of `other` are set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether none is set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl BitOr for Flags {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for Flags {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl Not for Flags {
    type Output = Self;
    fn not(self) -> Self {
        Self::from_bits(!self.0)
    }
}
