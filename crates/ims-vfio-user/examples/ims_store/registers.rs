// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The device's registers. Little-endian, 32 bits each but for the scratch.

/// PCI ids.
pub(crate) const VENDOR: u16 = 0x4d49;
pub(crate) const DEVICE: u16 = 0x5331;
/// System peripheral, other.
pub(crate) const CLASS: u32 = 0x08_80_00;

/// MSI-X vectors.
pub(crate) const VECTORS: u16 = 16;
/// Slots of the store.
pub(crate) const SLOTS: u32 = 4096;

/// BAR 0: registers and the store.
pub(crate) const BAR_SIZE: u64 = 128 << 10;

/// RO: "IMSS".
pub(crate) const MAGIC: u64 = 0x000;
pub(crate) const MAGIC_VALUE: u32 = 0x5353_4d49;
/// RO: version of this layout.
pub(crate) const VERSION: u64 = 0x004;
/// RO: how many slots.
pub(crate) const SLOT_COUNT: u64 = 0x008;
/// RO: where the store begins in BAR 0.
pub(crate) const STORE_OFFSET: u64 = 0x00c;
/// WO: raise MSI-X vector n.
pub(crate) const RAISE_MSIX: u64 = 0x010;
/// WO: raise slot n.
pub(crate) const RAISE_SLOT: u64 = 0x014;
/// WO: raise slots 0 to n − 1.
pub(crate) const RAISE_FIRST: u64 = 0x018;
/// RO: messages the client took.
pub(crate) const SENT: u64 = 0x020;
/// RO: messages the client refused, or never got.
pub(crate) const REFUSED: u64 = 0x024;
/// RO: errno of the last refusal.
pub(crate) const LAST_ERRNO: u64 = 0x028;
/// RO: raises kept pending.
pub(crate) const KEPT: u64 = 0x02c;
/// RO: messages sent and not answered yet.
pub(crate) const UNDER_WAY: u64 = 0x030;
/// RW, 64 bits.
pub(crate) const SCRATCH: u64 = 0x040;

/// The store: 16 bytes a slot.
pub(crate) const STORE: u64 = 0x1_0000;
pub(crate) const SLOT_SIZE: u64 = 16;
/// Words of a slot.
pub(crate) const SLOT_ADDRESS_LOW: u64 = 0;
pub(crate) const SLOT_ADDRESS_HIGH: u64 = 4;
pub(crate) const SLOT_DATA: u64 = 8;
pub(crate) const SLOT_CONTROL: u64 = 12;
/// Control: masked (set after reset).
pub(crate) const CONTROL_MASK: u32 = 1 << 0;
/// Control: a raise is kept (RO).
pub(crate) const CONTROL_PENDING: u32 = 1 << 1;
