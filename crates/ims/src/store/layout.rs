// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The 16-byte slot, as Intel's DSA lays it out (DSA specification, IMS table;
//! the same layout as Linux's `irq-ims-msi` and the MSI-X table entry).
//!
//! | offset | field |
//! |---|---|
//! | +0 | address, 64 bits |
//! | +8 | data, 32 bits |
//! | +12 | control: bit 0 mask, 1 pending, 2 ignore, 3 PASID enable, 31:12 PASID |
//!
//! Of the bits that the layout leaves free, one is used while the host rewrites a
//! slot: [`FROZEN`].
//!
//! In memory it is two 64-bit words: the address, and data with control above it.

/// Bytes in a slot.
pub const SLOT_BYTES: u32 = 16;

/// Control: no message is sent; a raise sets [`PENDING`].
pub const MASK: u32 = 1 << 0;
/// Control: a message is owed. Read-only to whoever programs the slot.
pub const PENDING: u32 = 1 << 1;
/// Control: the slot is nobody's.
pub const IGNORE: u32 = 1 << 2;
/// Control, software's own: the host is rewriting the slot; as if masked, whatever
/// [`MASK`] says. Never set while nothing changes.
pub const FROZEN: u32 = 1 << 4;
/// Control: only a submitter with the slot's PASID may name it.
pub const PASID_ENABLE: u32 = 1 << 3;
/// Control: lowest bit of the PASID.
pub const PASID_SHIFT: u32 = 12;
/// Bits in a PASID.
pub const PASID_BITS: u32 = 20;
/// Control: bits that have no meaning and read as zero.
pub const RESERVED: u32 = 0xfe0;
