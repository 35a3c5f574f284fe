// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The MSI-X capability, table entry and pending-bit array as they are laid out.
//!
//! The capability (PCI Express Base 6.0, 7.7.2; PCI Local Bus 3.0, 6.8.2):
//!
//! | offset | field |
//! |---|---|
//! | +0 | capability id, 8 bits: 11h |
//! | +1 | next capability, 8 bits |
//! | +2 | message control, 16 bits: 10:0 table size − 1, 14 function mask, 15 enable |
//! | +4 | table: 2:0 BAR (BIR), 31:3 offset |
//! | +8 | pending-bit array: 2:0 BAR (BIR), 31:3 offset |
//!
//! A table entry (7.7.2.5 to 7.7.2.8):
//!
//! | offset | field |
//! |---|---|
//! | +0 | message address, 64 bits |
//! | +8 | message data, 32 bits |
//! | +12 | vector control, 32 bits: 0 mask; the rest reserved, reads as zero |
//!
//! The pending-bit array (7.7.2.9) has a bit for each vector, in as many 64-bit
//! words as they need.

/// Capability id of MSI-X (7.7.2.1).
pub const CAPABILITY_ID: u8 = 0x11;
/// Bytes in the capability.
pub const CAPABILITY_BYTES: usize = 12;
/// The byte of the capability with the bits that can be written: bits 15:8 of
/// message control.
pub const WRITABLE_BYTE: usize = 3;

/// Message control: the bits of the table size, less one (7.7.2.2).
pub const TABLE_SIZE: u16 = 0x7ff;
/// Message control: all vectors are masked.
pub const FUNCTION_MASK: u16 = 1 << 14;
/// Message control: MSI-X is used. Clear after reset.
pub const ENABLE: u16 = 1 << 15;

/// The most vectors a function can have: the table size has eleven bits.
pub const MAX_VECTORS: u16 = TABLE_SIZE + 1;

/// Table and PBA register: which BAR (7.7.2.3, 7.7.2.4).
pub const BIR: u32 = 0x7;
/// The highest BAR there is.
pub const MAX_BIR: u8 = 5;

/// Bytes in a table entry.
pub const ENTRY_BYTES: u64 = 16;
/// Vector control: the vector is masked. Set after reset (7.7.2.8).
pub const VECTOR_MASK: u32 = 1 << 0;
/// Vectors in a word of the pending-bit array.
pub const PBA_WORD_VECTORS: u16 = 64;
/// Bytes in a word of the pending-bit array.
pub const PBA_WORD_BYTES: u64 = 8;
