// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The interrupt message: what a slot holds and a device writes.
//!
//! An address in the `FEEx_xxxxh` window carries one of two formats, told apart
//! by address bit 4: the *compatibility* format names CPUs and a vector, the
//! *remappable* format names an entry of the remap table.
//!
//! ```text
//!   Message ──decode──▶ Format ┬ Compatibility  destination, vector, mode, trigger
//!                              └ Remappable     handle (+ subhandle) → index
//! ```
//!
//! Decoding is strict: what the specification reserves is an error, with a
//! variant for each reason, so that a remap unit can make its fault of it.

mod compatibility;
mod error;
mod format;
pub mod layout;
mod remappable;
#[cfg(all(test, not(loom)))]
mod tests;

pub use compatibility::{Addressing, Compatibility, Trigger};
pub use error::MessageError;
pub use format::Format;
pub use remappable::Remappable;

/// An interrupt message: a write of `data` to `address`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Message {
    /// Where the device writes (bytes; bits 1:0 are ignored).
    pub address: u64,
    /// What it writes.
    pub data: u32,
}

/// Who sends a message: bus, device and function on the sender's segment.
///
/// VT-d calls it source id and Arm's ITS device id; it travels beside every
/// message and is never taken from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct RequesterId(pub u16);

/// Which CPUs a message names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Destination {
    /// APIC id (physical) or a set of them (logical), up to 32 bits.
    pub id: u32,
    /// Logical rather than physical addressing.
    pub logical: bool,
    /// The sender allows any one of the named CPUs to take it.
    pub redirection_hint: bool,
}

/// How a CPU is to take an interrupt (SDM Vol. 3, 12.11.2, message data 10:8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(u8)]
pub enum DeliveryMode {
    /// Vector, at the CPUs named.
    #[default]
    Fixed = 0,
    /// Vector, at the one of them with the lowest priority.
    LowestPriority = 1,
    /// System management interrupt.
    Smi = 2,
    /// Non-maskable interrupt.
    Nmi = 4,
    /// INIT.
    Init = 5,
    /// Vector from an external interrupt controller.
    ExtInt = 7,
}

impl DeliveryMode {
    /// The mode with this three-bit encoding; `None` if it is reserved (3 and 6).
    #[inline]
    pub const fn from_bits(bits: u8) -> Option<Self> {
        match bits {
            0 => Some(Self::Fixed),
            1 => Some(Self::LowestPriority),
            2 => Some(Self::Smi),
            4 => Some(Self::Nmi),
            5 => Some(Self::Init),
            7 => Some(Self::ExtInt),
            _ => None,
        }
    }

    /// The three-bit encoding.
    #[inline]
    pub const fn bits(self) -> u8 {
        self as u8
    }
}
