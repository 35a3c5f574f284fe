// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Feature bits of transports and queues. Source: virtio 1.3, 6 (Reserved Feature
//! Bits); bits 42 to 49 are kept there for later use.

/// Ring: descriptors may be a table elsewhere. Bit 28.
pub const RING_INDIRECT_DESC: u64 = 1 << 28;
/// Ring: each side says at which index it wants to be told. Bit 29.
pub const RING_EVENT_IDX: u64 = 1 << 29;
/// The device is not a legacy one. Bit 32.
pub const VERSION_1: u64 = 1 << 32;
/// The device's memory accesses may be translated. Bit 33.
pub const ACCESS_PLATFORM: u64 = 1 << 33;
/// A notification carries where the driver is. Bit 38.
pub const NOTIFICATION_DATA: u64 = 1 << 38;
/// A notification carries what the device asked for. Bit 39.
pub const NOTIF_CONFIG_DATA: u64 = 1 << 39;
/// Queues may be reset one at a time. Bit 40.
pub const RING_RESET: u64 = 1 << 40;

/// The interrupt message store of [`super::vis`]. Bit 48, not assigned by OASIS.
pub const VIS: u64 = 1 << 48;
