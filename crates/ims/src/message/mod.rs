// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The interrupt message: what a slot holds and a device writes.

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
