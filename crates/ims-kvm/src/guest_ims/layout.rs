// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The BAR of a device with a store for its guest.
//!
//! | from | what |
//! |---|---|
//! | 0000h | registers of the store |
//! | 1000h | registers of the remap unit behind it: the same for all of its devices |
//! | 2000h | slots, 16 bytes each ([`ims::guest::layout`]) |
//!
//! The unit has a page of its own, so that the slots and the store can be given to a
//! process without it. Registers have 64 bits and may be read and written in any part;
//! what is not listed reads as zero and cannot be written.
//!
//! The store's:
//!
//! | offset | bits | |
//! |---|---|---|
//! | +00h | 31:0 | magic: "IMSS" |
//! | | 63:32 | version: 1 |
//! | +08h | 31:0 | how many slots |
//! | | 63:32 | where the slots are: 2000h |
//! | +10h | 31:0 | the device's requester id |
//! | | 63:32 | where the unit's registers are: 1000h |
//! | +18h | 0 | enable: slots send. Clear after reset |
//! | +20h | | sync: a write returns when no raise is under way that began before it |
//!
//! The remap unit's:
//!
//! | offset | bits | |
//! |---|---|---|
//! | +00h | 31:0 | magic: "IMSR" |
//! | | 63:32 | version: 1 |
//! | +08h | 31:0 | the most entries a table can have |
//! | | 63:32 | how many fault records there are |
//! | +10h | | table, laid out as VT-d's IRTA_REG: 3:0 S, for 2^(S+1) entries; 11 EIME, for destinations of 32 bits; 63:12 where it is. Cannot be written while the unit is enabled |
//! | +18h | 0 | enable: messages are remapped. Clear after reset |
//! | +20h | | sync, as above |
//! | +28h | 0 | PFO: faults were lost for want of a record; write 1 to clear |
//! | | 1 | PPF: there is a fault in the record below |
//! | +30h | | the oldest fault, 128 bits, laid out as VT-d's FRCD_REG; write 1 to F (bit 127) to have the next |
//! | +40h | | faults so far, recorded or not |
//!
//! # What a driver does
//! It writes a table of entries (VT-d 9.9; 16 bytes each, little-endian), its place and
//! size, and enables unit and store. A slot gets a message in remappable format
//! (VT-d 5.1.2.2) that names the entry.
//!
//! The lower half of an entry (P, target) may be changed at any time by one store of
//! 64 bits; the upper half (SID, SQ, SVT) only while P is clear *and* a sync has been
//! written since it was cleared. What an old entry led to (a vector) may be used for
//! something else after a sync. Posted entries are not supported: fault 27h.

pub use ims::guest::layout::SLOT_BYTES;

/// Bytes between the parts of the BAR.
pub const PAGE: u64 = 0x1000;
/// Where the store's registers are.
pub const STORE: u64 = 0;
/// Where the remap unit's are.
pub const REMAP: u64 = PAGE;
/// Where the slots are.
pub const SLOTS: u64 = 2 * PAGE;

/// The version of all this.
pub const VERSION: u32 = 1;

/// The store's registers, by number: each has 8 bytes.
pub mod store {
    /// Magic and version.
    pub const IDENTITY: u64 = 0;
    /// How many slots, and where.
    pub const SLOTS: u64 = 1;
    /// Who it is to the remap unit, and where that is.
    pub const REQUESTER: u64 = 2;
    /// Enable.
    pub const CONTROL: u64 = 3;
    /// Waits for raisers.
    pub const SYNC: u64 = 4;
    /// How many registers there are.
    pub const COUNT: u64 = 5;
    /// "IMSS".
    pub const MAGIC: u32 = u32::from_le_bytes(*b"IMSS");
}

/// The remap unit's registers, by number: each has 8 bytes.
pub mod remap {
    /// Magic and version.
    pub const IDENTITY: u64 = 0;
    /// The most entries, and how many fault records.
    pub const CAPACITY: u64 = 1;
    /// Where the table is, and how long.
    pub const TABLE: u64 = 2;
    /// Enable.
    pub const CONTROL: u64 = 3;
    /// Waits for raisers.
    pub const SYNC: u64 = 4;
    /// Where fault recording stands.
    pub const FAULT_STATUS: u64 = 5;
    /// The oldest fault's lower half.
    pub const FAULT_LOW: u64 = 6;
    /// Its upper half.
    pub const FAULT_HIGH: u64 = 7;
    /// Faults so far.
    pub const FAULTS: u64 = 8;
    /// How many registers there are.
    pub const COUNT: u64 = 9;
    /// "IMSR".
    pub const MAGIC: u32 = u32::from_le_bytes(*b"IMSR");

    /// In the table register: S.
    pub const TABLE_SIZE: u64 = 0xf;
    /// In the table register: EIME.
    pub const TABLE_EXTENDED: u64 = 1 << 11;
    /// In the table register: where it is.
    pub const TABLE_BASE: u64 = !0xfff;
    /// In the fault status: PFO.
    pub const OVERFLOW: u64 = 1 << 0;
    /// In the fault status: PPF.
    pub const PENDING: u64 = 1 << 1;
    /// In the fault's upper half: F.
    pub const FAULT: u64 = 1 << 63;
}

/// In both control registers.
pub const ENABLE: u64 = 1 << 0;

/// Two halves of a register.
pub(super) fn halves(low: u32, high: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}
