// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The tables of BAR 0: group and queue configuration, MSI-X permissions,
//! Interrupt Message Store.

use bitfield_struct::bitfield;

/// GRPCFG (9.2.23): bytes of a group.
pub const GROUP_CONFIG_SIZE: u64 = 64;
/// Its queues: 256 bits.
pub const GROUP_QUEUES: u64 = 0;
/// Its engines: 64 bits.
pub const GROUP_ENGINES: u64 = 32;
/// Its flags: 64 bits.
pub const GROUP_FLAGS: u64 = 40;

/// A group's flags.
#[bitfield(u64)]
#[derive(PartialEq, Eq)]
pub struct GroupFlags {
    /// Traffic class A.
    #[bits(3)]
    pub class_a: u8,
    /// Traffic class B.
    #[bits(3)]
    pub class_b: u8,
    __: bool,
    /// The global read buffer limit counts for it.
    pub read_buffer_limit: bool,
    /// Read buffers reserved for it.
    pub read_buffers_reserved: u8,
    #[bits(4)]
    __: u8,
    /// Read buffers it may use.
    pub read_buffers_allowed: u8,
    #[bits(4)]
    __: u8,
    /// Descriptors in progress.
    #[bits(2)]
    pub descriptors_in_progress: u8,
    #[bits(2)]
    __: u8,
    /// Batches in progress.
    #[bits(2)]
    pub batches_in_progress: u8,
    #[bits(26)]
    __: u32,
}

/// WQCFG (9.2.24): the first 32 bytes, as eight words.
pub mod queue {
    /// Size, 15:0.
    pub const SIZE: u64 = 0;
    /// Threshold, 15:0.
    pub const THRESHOLD: u64 = 4;
    /// [`super::QueueModeWord`].
    pub const MODE: u64 = 8;
    /// [`super::QueueLimitsWord`].
    pub const LIMITS: u64 = 12;
    /// [`super::OccupancyInterruptWord`].
    pub const OCCUPANCY_INTERRUPT: u64 = 16;
    /// [`super::OccupancyLimitWord`].
    pub const OCCUPANCY_LIMIT: u64 = 20;
    /// [`super::QueueStateWord`], read-only.
    pub const STATE: u64 = 24;
    /// Operations it may execute: 256 bits, where WQCFG has 64 bytes.
    pub const OPERATIONS: u64 = 32;
}

/// WQCFG +8.
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct QueueModeWord {
    /// 1 dedicated, 0 shared.
    pub dedicated: bool,
    /// Block on fault.
    pub block_on_fault: bool,
    /// No address translation service.
    pub ats_disable: bool,
    /// No page requests.
    pub prs_disable: bool,
    /// 1 to 15.
    #[bits(4)]
    pub priority: u8,
    /// The PASID of a dedicated queue.
    #[bits(20)]
    pub pasid: u32,
    /// Whether it counts.
    pub pasid_enable: bool,
    /// Privileged.
    pub privileged: bool,
    #[bits(2)]
    __: u8,
}

/// WQCFG +12.
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct QueueLimitsWord {
    /// log2 of the largest transfer.
    #[bits(5)]
    pub max_transfer_shift: u8,
    /// log2 of the largest batch.
    #[bits(4)]
    pub max_batch_shift: u8,
    #[bits(23)]
    __: u32,
}

/// WQCFG +16.
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct OccupancyInterruptWord {
    /// The handle.
    pub handle: u16,
    /// Of the Interrupt Message Store, not MSI-X.
    pub ims: bool,
    #[bits(15)]
    __: u16,
}

/// WQCFG +20.
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct OccupancyLimitWord {
    /// An interrupt when the occupancy falls to this.
    pub limit: u16,
    /// Whether one is wanted; cleared when it is raised.
    pub enable: bool,
    #[bits(15)]
    __: u16,
}

/// WQCFG +24.
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct QueueStateWord {
    /// Descriptors in it.
    pub occupancy: u16,
    /// The occupancy interrupt is enabled.
    pub occupancy_interrupt: bool,
    #[bits(12)]
    __: u16,
    /// The mode may be chosen.
    pub mode_support: bool,
    /// 0 disabled, 1 enabled.
    #[bits(2)]
    pub state: u8,
}

/// An MSI-X permission entry: bytes.
pub const MSIX_PERMISSION_SIZE: u64 = 8;

/// An MSI-X permission entry, its first word.
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct MsixPermission {
    #[bits(2)]
    __: u8,
    /// No handle may name this vector.
    pub ignore: bool,
    /// Descriptors must come from [`MsixPermission::pasid`].
    pub pasid_enable: bool,
    #[bits(8)]
    __: u8,
    /// The submitter.
    #[bits(20)]
    pub pasid: u32,
}

/// An entry of the Interrupt Message Store: bytes.
pub const IMS_ENTRY_SIZE: u64 = 16;
/// Its words: address, low.
pub const IMS_ADDRESS_LOW: u64 = 0;
/// Address, high.
pub const IMS_ADDRESS_HIGH: u64 = 4;
/// Data.
pub const IMS_DATA: u64 = 8;
/// [`ImsControl`].
pub const IMS_CONTROL: u64 = 12;

/// The control word of an entry of the Interrupt Message Store.
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct ImsControl {
    /// Raises are kept.
    pub mask: bool,
    /// One is kept. Read-only.
    pub pending: bool,
    /// No handle may name this entry.
    pub ignore: bool,
    /// Descriptors must come from [`ImsControl::pasid`].
    pub pasid_enable: bool,
    #[bits(8)]
    __: u8,
    /// The submitter.
    #[bits(20)]
    pub pasid: u32,
}
