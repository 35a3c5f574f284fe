// SPDX-License-Identifier: Apache-2.0 OR MIT
//! BAR 0: where the registers are, and their fields (9.2).
//!
//! Fields are named as the specification names them; where Linux'
//! `drivers/dma/idxd/registers.h` shows a field that the text leaves open, it is
//! taken from there.

use bitfield_struct::bitfield;

/// VERSION (9.2.1), 32 bits: major in 15:8, minor in 7:0.
pub const VERSION: u64 = 0x00;
/// GENCAP (9.2.2).
pub const GENCAP: u64 = 0x10;
/// WQCAP (9.2.3).
pub const WQCAP: u64 = 0x20;
/// GRPCAP (9.2.4).
pub const GRPCAP: u64 = 0x30;
/// ENGCAP (9.2.5).
pub const ENGCAP: u64 = 0x38;
/// OPCAP (9.2.6): 256 bits.
pub const OPCAP: u64 = 0x40;
/// OFFSETS (9.2.7): 128 bits.
pub const OFFSETS: u64 = 0x60;
/// GENCFG (9.2.8), 32 bits.
pub const GENCFG: u64 = 0x80;
/// GENCTRL (9.2.9), 32 bits.
pub const GENCTRL: u64 = 0x88;
/// GENSTS (9.2.10), 32 bits.
pub const GENSTS: u64 = 0x90;
/// INTCAUSE (9.2.11), 32 bits, cleared by writing ones.
pub const INTCAUSE: u64 = 0x98;
/// CMD (9.2.12), 32 bits.
pub const CMD: u64 = 0xa0;
/// CMDSTATUS (9.2.13), 32 bits.
pub const CMDSTATUS: u64 = 0xa8;
/// CMDCAP, 32 bits: a bit for each command.
pub const CMDCAP: u64 = 0xb0;
/// SWERROR (9.2.14): 256 bits.
pub const SWERROR: u64 = 0xc0;
/// Bytes of SWERROR.
pub const SWERROR_SIZE: u64 = 32;
/// EVLCFG: 128 bits.
pub const EVLCFG: u64 = 0xe0;
/// EVLSTATUS: 64 bits.
pub const EVLSTATUS: u64 = 0xf0;
/// One past the last register.
pub const REGISTERS_END: u64 = 0x200;

/// What a unit of OFFSETS stands for, in bytes.
pub const OFFSET_UNIT: u64 = 0x100;

/// GENCAP.
#[bitfield(u64)]
#[derive(PartialEq, Eq)]
pub struct GeneralCapabilities {
    /// Block on fault.
    pub block_on_fault: bool,
    /// Memory moves may overlap.
    pub overlapping_copy: bool,
    /// Cache control, memory.
    pub cache_control_memory: bool,
    /// Cache control, cache flush.
    pub cache_control_cache: bool,
    /// CMDCAP says which commands there are.
    pub command_capabilities: bool,
    #[bits(3)]
    __: u8,
    /// Destination readback.
    pub destination_readback: bool,
    /// Drain with readback.
    pub drain_readback: bool,
    #[bits(3)]
    __: u8,
    /// Event log: 0 none, 1 entries of 64 bytes.
    #[bits(2)]
    pub event_log: u8,
    /// A batch goes on after an error.
    pub batch_continuation: bool,
    /// log2 of the largest transfer.
    #[bits(5)]
    pub max_transfer_shift: u8,
    /// log2 of the largest batch.
    #[bits(4)]
    pub max_batch_shift: u8,
    /// Entries of the Interrupt Message Store, divided by [`IMS_UNIT`].
    #[bits(6)]
    pub ims_size: u8,
    /// Software may configure groups and queues.
    pub configurable: bool,
    #[bits(32)]
    __: u32,
}

/// Entries of an Interrupt Message Store come in multiples of this (9.2.2).
pub const IMS_UNIT: u32 = 256;
/// The largest multiple its field can name.
pub const IMS_UNITS_LIMIT: u32 = 63;

/// WQCAP.
#[bitfield(u64)]
#[derive(PartialEq, Eq)]
pub struct QueueCapabilities {
    /// Entries that all queues share.
    pub total_size: u16,
    /// Queues.
    pub queues: u8,
    /// A WQCFG has 32 << this bytes.
    #[bits(4)]
    pub config_size: u8,
    #[bits(20)]
    __: u32,
    /// Shared mode.
    pub shared: bool,
    /// Dedicated mode.
    pub dedicated: bool,
    /// Address translation may be disabled for a queue.
    pub ats: bool,
    /// Priorities.
    pub priority: bool,
    /// WQCFG tells the occupancy.
    pub occupancy: bool,
    /// An interrupt when the occupancy falls.
    pub occupancy_interrupt: bool,
    /// Operations may be restricted for a queue.
    pub operations: bool,
    /// Page requests may be disabled for a queue.
    pub prs: bool,
    #[bits(8)]
    __: u8,
}

/// GRPCAP.
#[bitfield(u64)]
#[derive(PartialEq, Eq)]
pub struct GroupCapabilities {
    /// Groups.
    pub groups: u8,
    /// Read buffers of the device.
    pub read_buffers: u8,
    /// Read buffers can be controlled.
    pub read_buffer_control: bool,
    /// There is a global limit.
    pub read_buffer_limit: bool,
    /// Descriptors and batches in progress can be limited.
    pub progress_limit: bool,
    #[bits(45)]
    __: u64,
}

/// OFFSETS: each in units of [`OFFSET_UNIT`].
#[bitfield(u128)]
#[derive(PartialEq, Eq)]
pub struct TableOffsets {
    /// Group configuration.
    pub group_config: u16,
    /// Work queue configuration.
    pub queue_config: u16,
    /// MSI-X permissions.
    pub msix_permissions: u16,
    /// Interrupt Message Store.
    pub ims: u16,
    /// Performance monitoring.
    pub perfmon: u16,
    #[bits(48)]
    __: u64,
}

/// GENCFG.
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct GeneralConfig {
    /// Global read buffer limit.
    pub read_buffer_limit: u8,
    #[bits(4)]
    __: u8,
    /// User-mode interrupts.
    pub user_interrupts: bool,
    /// The event log is used instead of SWERROR.
    pub event_log: bool,
    #[bits(18)]
    __: u32,
}

/// GENCTRL.
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct GeneralControl {
    /// Interrupt at a software error.
    pub software_error_interrupt: bool,
    /// Interrupt when the device halts.
    pub halt_interrupt: bool,
    /// Interrupt at an event log entry.
    pub event_log_interrupt: bool,
    #[bits(29)]
    __: u32,
}

/// The state of the device (GENSTS 1:0).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum DeviceState {
    /// Configuration may change; nothing is taken.
    #[default]
    Disabled = 0,
    /// Enabled queues take descriptors.
    Enabled = 1,
    /// On the way to disabled.
    Draining = 2,
    /// An error; only a reset of the named kind leads out.
    Halted = 3,
}

/// The reset that leads out of [`DeviceState::Halted`] (GENSTS 3:2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum ResetNeeded {
    /// The Reset Device command.
    #[default]
    Software = 0,
    /// A function-level reset.
    Function = 1,
    /// A warm reset.
    Warm = 2,
    /// A cold reset.
    Cold = 3,
}

/// Causes of the miscellaneous interrupt, MSI-X vector 0 (INTCAUSE).
pub mod cause {
    /// SWERROR has an error.
    pub const SOFTWARE_ERROR: u32 = 1 << 0;
    /// A command has ended.
    pub const COMMAND: u32 = 1 << 1;
    /// A queue's occupancy fell below its limit.
    pub const OCCUPANCY: u32 = 1 << 2;
    /// A performance counter overflowed.
    pub const PERFMON: u32 = 1 << 3;
    /// The device halted.
    pub const HALT: u32 = 1 << 4;
    /// The event log has an entry.
    pub const EVENT_LOG: u32 = 1 << 5;
    /// Interrupt handles were revoked: request them anew.
    pub const HANDLES_REVOKED: u32 = 1 << 31;
    /// All that exist.
    pub const ALL: u32 =
        SOFTWARE_ERROR | COMMAND | OCCUPANCY | PERFMON | HALT | EVENT_LOG | HANDLES_REVOKED;
}
