// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How many vectors there are and where the guest finds them.

use super::layout::{
    BIR, CAPABILITY_BYTES, CAPABILITY_ID, ENTRY_BYTES, MAX_BIR, MAX_VECTORS, PBA_WORD_BYTES,
    PBA_WORD_VECTORS,
};

/// A place in one of the function's BARs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BarOffset {
    /// Which BAR, 0 to 5 (BIR).
    pub bir: u8,
    /// Bytes from its start; a multiple of 8.
    pub offset: u32,
}

/// What a virtual device's MSI-X is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MsixConfig {
    /// How many vectors, 1 to 2048.
    pub vectors: u16,
    /// Where the table is: 16 bytes a vector.
    pub table: BarOffset,
    /// Where the pending-bit array is: a bit a vector, in 64-bit words.
    pub pba: BarOffset,
}

/// One of the two structures in BARs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The table of messages.
    Table,
    /// The pending-bit array.
    Pba,
}

impl core::fmt::Display for Part {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Table => "MSI-X table",
            Self::Pba => "pending-bit array",
        })
    }
}

/// Why there can be no such MSI-X.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Too many vectors, or none.
    #[error("MSI-X with {asked} vectors; use 1 to 2048")]
    Vectors {
        /// How many were asked for.
        asked: u16,
    },
    /// There is no such BAR.
    #[error("the {part} cannot be in BAR {bir}; use 0 to 5")]
    Bir {
        /// What was to be there.
        part: Part,
        /// The BAR asked for.
        bir: u8,
    },
    /// The register has no bits for such an offset.
    #[error("the {part} cannot begin at offset {offset:#x}; use a multiple of 8")]
    Alignment {
        /// What was to be there.
        part: Part,
        /// The offset asked for.
        offset: u32,
    },
    /// The end cannot be named by 32 bits.
    #[error("the {part} at offset {offset:#x} ends above 4 GiB; use a lower offset")]
    TooHigh {
        /// What was to be there.
        part: Part,
        /// The offset asked for.
        offset: u32,
    },
    /// Table and pending-bit array share bytes.
    #[error(
        "table (at {table:#x}) and pending-bit array (at {pba:#x}) overlap in BAR {bir}; move one"
    )]
    Overlap {
        /// The BAR both are in.
        bir: u8,
        /// The table's offset.
        table: u32,
        /// The pending-bit array's.
        pba: u32,
    },
}

impl BarOffset {
    /// The bytes from here on, `bytes` of them.
    fn extent(self, part: Part, bytes: u64) -> Result<core::ops::Range<u64>, ConfigError> {
        let Self { bir, offset } = self;
        if bir > MAX_BIR {
            return Err(ConfigError::Bir { part, bir });
        }
        if offset & BIR != 0 {
            return Err(ConfigError::Alignment { part, offset });
        }
        let end = u64::from(offset) + bytes;
        if end > 1 << 32 {
            return Err(ConfigError::TooHigh { part, offset });
        }
        Ok(offset.into()..end)
    }

    /// As the capability's register has it.
    fn register(self) -> u32 {
        self.offset | u32::from(self.bir)
    }
}

impl MsixConfig {
    /// Bytes in the table.
    pub fn table_bytes(&self) -> u64 {
        u64::from(self.vectors) * ENTRY_BYTES
    }

    /// Bytes in the pending-bit array.
    pub fn pba_bytes(&self) -> u64 {
        u64::from(self.vectors.div_ceil(PBA_WORD_VECTORS)) * PBA_WORD_BYTES
    }

    /// # Errors
    /// What the specification has no encoding for, or what overlaps.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let asked = self.vectors;
        if asked == 0 || asked > MAX_VECTORS {
            return Err(ConfigError::Vectors { asked });
        }
        let table = self.table.extent(Part::Table, self.table_bytes())?;
        let pba = self.pba.extent(Part::Pba, self.pba_bytes())?;
        let same = self.table.bir == self.pba.bir;
        if same && table.start < pba.end && pba.start < table.end {
            return Err(ConfigError::Overlap {
                bir: self.table.bir,
                table: self.table.offset,
                pba: self.pba.offset,
            });
        }
        Ok(())
    }

    /// Message control's read-only part: the table size.
    pub(super) fn table_size(&self) -> u16 {
        self.vectors.saturating_sub(1)
    }

    /// The capability with this message control; the next pointer is zero.
    pub(super) fn capability(&self, control: u16) -> [u8; CAPABILITY_BYTES] {
        let [c0, c1] = control.to_le_bytes();
        let [t0, t1, t2, t3] = self.table.register().to_le_bytes();
        let [p0, p1, p2, p3] = self.pba.register().to_le_bytes();
        [CAPABILITY_ID, 0, c0, c1, t0, t1, t2, t3, p0, p1, p2, p3]
    }
}
