// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Virtio Interrupt Storage: registers, and the area that driver and device share.
//! Source: `docs/vis.md`.
//!
//! ```text
//!   area   0x000  header     driver's line, then the device's line
//!          messages ──▶      16 bytes a vector: address, data          latched
//!          map ──▶           4 bytes a queue: its vector               latched
//!          gates ──▶         4 bytes a vector, `1 << shift` apart      looked at
//!                            at each interrupt: bit 0 mask, bit 1 pending
//! ```

pub use super::NO_VECTOR;

/// Registers, in virtio-mmio at offsets that today's virtio leaves free.
pub mod register {
    /// R: the most vectors there may be.
    pub const VECTORS: u64 = 0x0e0;
    /// R: [`super::state`].
    pub const STATE: u64 = 0x0e4;
    /// W: the area's address, low half.
    pub const ADDRESS_LOW: u64 = 0x0e8;
    /// W: high half.
    pub const ADDRESS_HIGH: u64 = 0x0ec;
    /// W: [`super::Command`].
    pub const COMMAND: u64 = 0x0f0;
}

/// What [`register::STATE`] reads as.
pub mod state {
    /// Interrupts are messages of the area.
    pub const ENABLED: u32 = 1;
    /// The last command's [`super::Error`] is in bits 15:8.
    pub const ERROR_SHIFT: u32 = 8;
}

/// Fields of the header, 32 bits each.
pub mod header {
    /// How many vectors the area has.
    pub const VECTORS: u64 = 0x00;
    /// How many entries the map has.
    pub const QUEUES: u64 = 0x04;
    /// The vector of changes of configuration.
    pub const CONFIG_VECTOR: u64 = 0x08;
    /// Gates are `1 << shift` bytes apart: [`super::SHIFTS`].
    pub const GATE_SHIFT: u64 = 0x0c;
    /// Where messages begin in the area; a multiple of 16.
    pub const MESSAGES: u64 = 0x10;
    /// Where the map begins; a multiple of 4.
    pub const MAP: u64 = 0x14;
    /// Where gates begin; a multiple of `1 << shift`.
    pub const GATES: u64 = 0x18;
    /// Bytes of the whole area.
    pub const LENGTH: u64 = 0x1c;
    /// First vector of an [`super::Command::UpdateRange`].
    pub const FIRST: u64 = 0x20;
    /// How many.
    pub const COUNT: u64 = 0x24;
    /// The number of the command that is about to be written.
    pub const ASK: u64 = 0x28;
    /// Written by the device: the number of the last command it has done.
    pub const DONE: u64 = 0x40;
    /// Written by the device: what became of it, an [`super::Error`].
    pub const ERROR: u64 = 0x44;
    /// Written by the device: which vector or queue the error is about.
    pub const ERROR_INDEX: u64 = 0x48;
    /// Bytes of the header.
    pub const BYTES: u64 = 0x80;
}

/// What a message's 16 bytes are.
pub mod message {
    /// 64 bits.
    pub const ADDRESS: u64 = 0x0;
    /// 32 bits.
    pub const DATA: u64 = 0x8;
    /// 32 bits, zero.
    pub const RESERVED: u64 = 0xc;
    /// Bytes of a message.
    pub const BYTES: u64 = 16;
}

/// The most vectors a device may offer: one for each of 65536 queues, and one more for
/// changes of configuration.
pub const MAX_VECTORS: u32 = 65_537;
/// As [`header::ERROR_INDEX`]: it is about [`header::CONFIG_VECTOR`].
pub const CONFIG_INDEX: u32 = u32::MAX;

/// Bytes of an entry of the map.
pub const MAP_BYTES: u64 = 4;
/// The area's alignment.
pub const ALIGN: u64 = 64;
/// Shifts that gates may have: 4 to 64 bytes apart.
pub const SHIFTS: core::ops::RangeInclusive<u32> = 2..=6;

/// Gate: the vector keeps its interrupts. Written by the driver.
pub const MASK: u32 = 1 << 0;
/// Gate: it has kept one. Set by the device; taken by either, atomically.
pub const PENDING: u32 = 1 << 1;

/// Bits 27:0 of a command: its argument; all ones for all of them.
pub const ALL: u32 = 0x0fff_ffff;

/// Bits 31:28 of what [`register::COMMAND`] is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Command {
    /// Header, messages and map are read; interrupts are messages from now on.
    Enable = 1,
    /// They are not any more, and the area is left alone.
    Disable = 2,
    /// The message of the vector that is the argument is read again.
    Update = 3,
    /// Those of [`header::FIRST`] and on, [`header::COUNT`] of them.
    UpdateRange = 4,
    /// The map's entry of the queue that is the argument is read again; all of them,
    /// and the vector of configuration, with [`ALL`].
    Map = 5,
    /// What the vector that is the argument has kept is sent, if it is unmasked. Not
    /// answered in the header.
    Resend = 6,
}

impl Command {
    /// What is written to the register.
    pub const fn with(self, argument: u32) -> u32 {
        (self as u32) << 28 | (argument & ALL)
    }

    /// Command and argument of what was written.
    pub const fn from_value(value: u32) -> Option<(Self, u32)> {
        let command = match value >> 28 {
            1 => Self::Enable,
            2 => Self::Disable,
            3 => Self::Update,
            4 => Self::UpdateRange,
            5 => Self::Map,
            6 => Self::Resend,
            _ => return None,
        };
        Some((command, value & ALL))
    }
}

/// What became of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[repr(u32)]
pub enum Error {
    /// It is done.
    None = 0,
    /// No such command, or not now.
    Command = 1,
    /// The area is not in memory that the device may read and write.
    Area = 2,
    /// Address or an offset is not aligned, or the shift is out of range.
    Alignment = 3,
    /// Parts overlap, or do not lie in the area.
    Bounds = 4,
    /// No vectors, or more than the device has.
    Vectors = 5,
    /// More queues than the device has.
    Queues = 6,
    /// A vector, or a queue, of this number is not.
    Index = 7,
    /// A message that cannot be sent: its reserved bits are not zero.
    Message = 8,
    /// A gate could not be reached; its vector is taken to be unmasked.
    Lost = 9,
}

impl Error {
    /// What is read from the header or the state register; `None` if it is none that
    /// is known here.
    pub const fn from_value(value: u32) -> Option<Self> {
        let error = match value {
            0 => Self::None,
            1 => Self::Command,
            2 => Self::Area,
            3 => Self::Alignment,
            4 => Self::Bounds,
            5 => Self::Vectors,
            6 => Self::Queues,
            7 => Self::Index,
            8 => Self::Message,
            9 => Self::Lost,
            _ => return None,
        };
        Some(error)
    }
}
