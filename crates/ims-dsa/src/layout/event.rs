// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Errors as software reads them: SWERROR (9.2.14) and event log entries.

use bitfield_struct::bitfield;

/// SWERROR, its first quadword.
#[bitfield(u64)]
#[derive(PartialEq, Eq)]
pub struct ErrorWord {
    /// There is an error. Written as 1, it is cleared and with it the whole register.
    pub valid: bool,
    /// Another came meanwhile. Cleared by writing 1.
    pub overflow: bool,
    /// The descriptor fields are valid.
    pub descriptor_valid: bool,
    /// The queue is valid.
    pub queue_valid: bool,
    /// It was in a batch.
    pub batch: bool,
    /// The faulting access was a write.
    pub write: bool,
    /// Privileged.
    pub privileged: bool,
    __: bool,
    /// The code: a completion status, or one of [`device_error`].
    pub error: u8,
    /// The queue.
    pub queue: u8,
    __: u8,
    /// The operation.
    pub opcode: u8,
    /// The submitter.
    #[bits(20)]
    pub pasid: u32,
    #[bits(4)]
    __: u8,
}

/// SWERROR, its second quadword: which of the batch, and invalid flags.
#[bitfield(u64)]
#[derive(PartialEq, Eq)]
pub struct ErrorDetail {
    /// Index in the batch.
    pub batch_index: u16,
    __: u16,
    /// For status 0x11.
    pub invalid_flags: u32,
}

/// An event log entry's size where GENCAP says 1: 32 bytes of the event, then a
/// completion record.
pub const EVENT_ENTRY_SIZE: u64 = 64;
/// Entries a log may have.
pub const EVENT_LOG_ENTRIES: core::ops::RangeInclusive<u16> = 64..=0xffff;

/// An event log entry, its first quadword.
#[bitfield(u64)]
#[derive(PartialEq, Eq)]
pub struct EventWord {
    #[bits(2)]
    __: u8,
    /// The descriptor fields are valid.
    pub descriptor_valid: bool,
    /// The queue is valid.
    pub queue_valid: bool,
    /// It was in a batch.
    pub batch: bool,
    /// The faulting access was a write.
    pub write: bool,
    /// Privileged.
    pub privileged: bool,
    /// [`EventDetail`] is valid.
    pub detail_valid: bool,
    /// The code.
    pub error: u8,
    /// The queue.
    pub queue: u8,
    /// Which batch.
    pub batch_id: u8,
    /// The operation.
    pub opcode: u8,
    /// The submitter.
    #[bits(20)]
    pub pasid: u32,
    #[bits(4)]
    __: u8,
}

/// An event log entry, its second quadword, for an invalid interrupt handle and
/// for a completion record that could not be written.
#[bitfield(u64)]
#[derive(PartialEq, Eq)]
pub struct EventDetail {
    /// Index in the batch.
    pub batch_index: u16,
    __: u16,
    /// The handle.
    pub handle: u16,
    /// An interrupt was asked for.
    pub interrupt_requested: bool,
    /// The handle is of the Interrupt Message Store.
    pub ims: bool,
    /// A record was asked for.
    pub record_requested: bool,
    /// The first of its batch to fail.
    pub first_in_batch: bool,
    #[bits(9)]
    __: u16,
    /// Which address.
    #[bits(3)]
    pub operand: u8,
}

/// EVLCFG, its first quadword: bits 63:12 are the log's address.
#[bitfield(u64)]
#[derive(PartialEq, Eq)]
pub struct EventLogBase {
    /// The log is in the space of a PASID.
    pub pasid_enable: bool,
    /// Privileged.
    pub privileged: bool,
    #[bits(10)]
    __: u16,
    /// Address, in pages.
    #[bits(52)]
    pub page: u64,
}

/// EVLCFG, its second quadword.
#[bitfield(u64)]
#[derive(PartialEq, Eq)]
pub struct EventLogSize {
    /// Entries.
    pub entries: u16,
    /// The PASID.
    #[bits(20)]
    pub pasid: u32,
    #[bits(28)]
    __: u32,
}

/// EVLSTATUS.
#[bitfield(u64)]
#[derive(PartialEq, Eq)]
pub struct EventLogStatus {
    /// Software's: the next entry to read.
    pub head: u16,
    __: u16,
    /// The device's: the next entry to write. Read-only.
    pub tail: u16,
    #[bits(14)]
    __: u16,
    /// An interrupt is pending. Cleared by writing 1.
    pub interrupt_pending: bool,
    __: bool,
}

/// Errors of the device itself, in SWERROR.
pub mod device_error {
    /// Bus mastering went off while the device was enabled.
    pub const PCI_CONFIG: u8 = 0x51;
    /// CMD was written while a command was active.
    pub const COMMAND_REGISTER: u8 = 0x52;
    /// A portal was written whose queue takes nothing: not enabled, or full.
    /// (The specification's own code for this is not known here.)
    pub const PORTAL: u8 = 0x53;
}
