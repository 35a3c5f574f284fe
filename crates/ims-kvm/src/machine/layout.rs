// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where things are in the guest's memory.
//!
//! ```text
//!   0x0000_1000  page tables, GDT, IDT
//!   0x0001_0000  code
//!   0x0020_0000  a block for each vCPU: scan lists, counts, mailbox, stack
//!   words_at     words of pending bits
//!   taken_at     a count for each source
//!   own          the user's bytes, 2-MiB aligned, up to the end
//!   0xd000_0000  no memory: accesses reach the bus
//!   0xfec0_0000  the I/O APIC; the bus with one outside of the kernel
//!   0xfee0_0000  the APIC, unless it is in x2APIC mode
//! ```
//!
//! All fields are 64-bit, so that host and guest each access them in one piece.

use std::ops::Range;

use super::{Config, MachineError};

/// What a page maps.
pub(super) const PAGE: u64 = 2 << 20;

/// The page-map level 4.
pub(super) const PML4: u64 = 0x1000;
/// The page-directory-pointer table.
pub(super) const PDPT: u64 = 0x2000;
/// Four page directories: 4 GiB.
pub(super) const DIRECTORIES: u64 = 0x3000;
/// Segment descriptors.
pub(super) const GDT: u64 = 0x7000;
/// 256 gates of 16 bytes.
pub(super) const IDT: u64 = 0x8000;
/// Where the code begins.
pub(super) const CODE: u64 = 0x1_0000;
/// The room it has.
pub(super) const CODE_BYTES: u64 = 0x1_0000;

/// The first vCPU's block.
const BLOCKS: u64 = 0x20_0000;
/// From one vCPU's block to the next.
const BLOCK_BYTES: u64 = 0x4000;

/// Memory ends here at the latest.
const MEMORY_END: u64 = 0xc000_0000;
/// Guest code reaches words and counts by signed 32-bit displacements.
const DISPLACEMENT_END: u64 = 0x8000_0000;
/// Where accesses of the guest reach the bus.
pub(super) const MMIO: Range<u64> = 0xd000_0000..0xe000_0000;
/// The I/O APIC's registers.
pub(super) const IOAPIC: u64 = 0xfec0_0000;
/// The local APIC's registers in xAPIC mode.
pub(super) const APIC: u64 = 0xfee0_0000;

/// In a vCPU's block, which its GS base points to.
pub(super) mod block {
    /// Scan list of each vector: first word, and how many in the high half.
    pub(in super::super) const SCAN: u64 = 0;
    /// How often each vector's handler ran.
    pub(in super::super) const INTERRUPTS: u64 = 0x800;
    /// How often it found nothing.
    pub(in super::super) const EMPTY: u64 = 0x1000;
    /// Whether it is at work.
    pub(in super::super) const IN_HANDLER: u64 = 0x1800;

    /// Mailbox: number of the newest command. Written last.
    pub(in super::super) const COMMAND: u64 = 0x2000;
    /// Mailbox: number of the newest command done.
    pub(in super::super) const DONE: u64 = 0x2008;
    /// Mailbox: what to do, [`super::super::payload::Access`].
    pub(in super::super) const ACCESS: u64 = 0x2010;
    /// Mailbox: where.
    pub(in super::super) const ADDRESS: u64 = 0x2018;
    /// Mailbox: what to write, or what was read.
    pub(in super::super) const VALUE: u64 = 0x2020;
    /// Mailbox: number of the newest command begun: none is done twice.
    pub(in super::super) const STARTED: u64 = 0x2028;

    /// Notice: the vector.
    pub(in super::super) const NOTICE_VECTOR: u64 = 0x2040;
    /// Notice: the word.
    pub(in super::super) const NOTICE_WORD: u64 = 0x2048;
    /// Notice: the bits found in it.
    pub(in super::super) const NOTICE_BITS: u64 = 0x2050;

    /// Exception: the vector.
    pub(in super::super) const FAULT_VECTOR: u64 = 0x2080;
    /// Exception: the error code, or 0.
    pub(in super::super) const FAULT_CODE: u64 = 0x2088;
    /// Exception: where it happened.
    pub(in super::super) const FAULT_RIP: u64 = 0x2090;
    /// Exception: CR2.
    pub(in super::super) const FAULT_ADDRESS: u64 = 0x2098;

    /// Register that a vector's handler reads and acknowledges, if it does so.
    pub(in super::super) const STATUS: u64 = 0x2800;

    /// The stack begins here and grows down, to 0x3000.
    pub(in super::super) const STACK: u64 = super::BLOCK_BYTES;
}

/// Where things of variable size are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    /// Words of pending bits.
    pub(super) words_at: u64,
    /// A count for each source.
    pub(super) taken_at: u64,
    /// The user's bytes.
    pub(super) own: u64,
    /// The end of memory.
    pub(super) end: u64,
}

impl Layout {
    /// Room for what `config` asks for.
    pub(super) fn new(config: &Config) -> Result<Self, MachineError> {
        let words = u64::from(config.words);
        // Neither can overflow: 32-bit numbers of small things.
        let words_at = BLOCKS + u64::from(config.vcpus) * BLOCK_BYTES;
        let taken_at = words_at + words * 8;
        let counted = taken_at + words * 64 * 8;
        if counted > DISPLACEMENT_END {
            return Err(MachineError::TooManyWords {
                words: config.words,
            });
        }
        let own = counted.next_multiple_of(PAGE);
        let end = own
            .checked_add(config.memory)
            .and_then(|end| end.checked_next_multiple_of(PAGE))
            .filter(|end| *end <= MEMORY_END)
            .ok_or(MachineError::TooMuchMemory {
                bytes: config.memory,
                limit: MEMORY_END - own,
            })?;
        Ok(Self {
            words_at,
            taken_at,
            own,
            end,
        })
    }

    /// A vCPU's block.
    pub(super) fn block(cpu: u32) -> u64 {
        BLOCKS + u64::from(cpu) * BLOCK_BYTES
    }

    /// A field of the block that each vector has.
    pub(super) fn of_vector(cpu: u32, field: u64, vector: u8) -> u64 {
        Self::block(cpu) + field + u64::from(vector) * 8
    }

    /// A word of pending bits.
    pub(super) fn word(&self, word: u32) -> u64 {
        self.words_at + u64::from(word) * 8
    }

    /// A source's count.
    pub(super) fn taken(&self, source: u32) -> u64 {
        self.taken_at + u64::from(source) * 8
    }
}
