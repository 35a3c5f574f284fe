// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Commands (9.2.12) and how they end (9.2.13).

use bitfield_struct::bitfield;

/// CMD.
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct CommandRegister {
    /// What the command is about.
    #[bits(20)]
    pub operand: u32,
    /// Which command.
    #[bits(5)]
    pub command: u8,
    #[bits(6)]
    __: u8,
    /// Interrupt when it has ended.
    pub interrupt: bool,
}

/// CMDSTATUS.
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct CommandStatus {
    /// 0, or a [`CommandError`].
    pub error: u8,
    /// An interrupt handle.
    pub result: u16,
    #[bits(7)]
    __: u8,
    /// It has not ended yet.
    pub active: bool,
}

/// A command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Command {
    /// Checks the configuration and begins to work.
    EnableDevice = 1,
    /// Ends work, waits for it.
    DisableDevice = 2,
    /// Waits for all descriptors.
    DrainAll = 3,
    /// Gives all descriptors up.
    AbortAll = 4,
    /// Gives up, and goes back to the configuration after power-on.
    ResetDevice = 5,
    /// Operand: a queue's number.
    EnableQueue = 6,
    /// Operand: a [`QueueMask`].
    DisableQueue = 7,
    /// Operand: a [`QueueMask`].
    DrainQueue = 8,
    /// Operand: a [`QueueMask`].
    AbortQueue = 9,
    /// Operand: a [`QueueMask`].
    ResetQueue = 10,
    /// Operand: a PASID.
    DrainPasid = 11,
    /// Operand: a PASID.
    AbortPasid = 12,
    /// Operand: a [`HandleOperand`] with an index of the table.
    RequestHandle = 13,
    /// Operand: a [`HandleOperand`] with a handle.
    ReleaseHandle = 14,
}

impl Command {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::EnableDevice,
        Self::DisableDevice,
        Self::DrainAll,
        Self::AbortAll,
        Self::ResetDevice,
        Self::EnableQueue,
        Self::DisableQueue,
        Self::DrainQueue,
        Self::AbortQueue,
        Self::ResetQueue,
        Self::DrainPasid,
        Self::AbortPasid,
        Self::RequestHandle,
        Self::ReleaseHandle,
    ];

    /// The command with this code.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|command| *command as u8 == code)
    }
}

/// Sixteen queues of a block, a bit each.
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct QueueMask {
    /// The queues.
    pub mask: u16,
    /// Which block of sixteen.
    #[bits(4)]
    pub block: u8,
    #[bits(12)]
    __: u16,
}

/// What the handle commands are about.
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct HandleOperand {
    /// Index of the table, or handle.
    pub number: u16,
    /// It is about the Interrupt Message Store, not MSI-X.
    pub ims: bool,
    #[bits(15)]
    __: u16,
}

/// Why a command failed (9.2.13).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[repr(u8)]
#[non_exhaustive]
pub enum CommandError {
    /// No such command, or not here.
    #[error("no such command; CMDCAP says which there are")]
    InvalidCommand = 0x01,
    /// No such queue.
    #[error("no such work queue; WQCAP says how many there are")]
    InvalidQueue = 0x02,
    /// The device could not do it.
    #[error("the device could not do it; the server's log says why")]
    Hardware = 0x03,
    /// Enable device: it is not disabled.
    #[error("device not disabled; disable it first")]
    DeviceEnabled = 0x10,
    /// Enable device: the configuration is wrong in another way than those below.
    #[error("wrong configuration")]
    Configuration = 0x11,
    /// Enable device: bus mastering is off.
    #[error("bus mastering is off; set it in the command register")]
    BusMaster = 0x12,
    /// Enable device: PASID, ATS and PRS do not fit.
    #[error("PASID configuration does not fit")]
    Pasid = 0x13,
    /// Enable device: the queues' sizes add up to more than WQCAP says.
    #[error("the queues' sizes add up to more than there is")]
    TotalQueueSize = 0x14,
    /// Enable device: queues and engines in groups do not fit: a queue or engine
    /// in two groups, a queue of size 0 in a group or one with a size in none, a
    /// group with queues and no engine or the other way round.
    #[error("a queue or an engine is in two groups, or a group lacks one of them")]
    Groups = 0x15,
    /// Enable device: a group uses the global read buffer limit, which is 0 or
    /// more than there are.
    #[error("the global read buffer limit is 0, or more than there are")]
    ReadBufferLimit = 0x16,
    /// Enable device: more read buffers reserved than there are.
    #[error("the groups reserve more read buffers than there are")]
    ReadBuffersReserved = 0x17,
    /// Enable device: a group is allowed fewer read buffers than it reserves or
    /// its engines need, or more than there are.
    #[error("a group is allowed too few read buffers, or too many")]
    ReadBuffersAllowed = 0x18,
    /// Enable queue: the device is not enabled.
    #[error("device not enabled; enable it first")]
    DeviceNotEnabled = 0x20,
    /// Enable queue: it is not disabled.
    #[error("work queue not disabled; disable it first")]
    QueueEnabled = 0x21,
    /// Enable queue: its size is 0 or was changed.
    #[error("work queue without size")]
    QueueSize = 0x22,
    /// Enable queue: priority 0.
    #[error("work queue without priority; 1 to 15")]
    QueuePriority = 0x23,
    /// Enable queue: mode not supported, or threshold out of range.
    #[error("work queue mode or threshold not supported")]
    QueueMode = 0x24,
    /// Enable queue: block on fault is not supported.
    #[error("block on fault is not supported")]
    QueueBlockOnFault = 0x25,
    /// Enable queue: PASIDs are not enabled.
    #[error("PASIDs are not supported")]
    QueuePasid = 0x26,
    /// Enable queue: batches larger than GENCAP says.
    #[error("largest batch out of range")]
    QueueBatch = 0x27,
    /// Enable queue: transfers larger than GENCAP says.
    #[error("largest transfer out of range")]
    QueueTransfer = 0x28,
    /// Disable device: it is not enabled.
    #[error("device not enabled")]
    NotEnabled = 0x31,
    /// Drain, abort, disable or reset: device, or queue, not enabled.
    #[error("device or work queue not enabled")]
    QueueNotEnabled = 0x32,
    /// Handles: no such index, or no such handle.
    #[error("no such interrupt")]
    InvalidInterrupt = 0x41,
    /// Request handle: none left, or none of this table.
    #[error("no interrupt handle available")]
    NoHandle = 0x42,
}

impl CommandError {
    /// Its code.
    pub const fn code(self) -> u8 {
        self as u8
    }
}
