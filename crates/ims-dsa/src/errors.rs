// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Errors that no completion record can tell.

use crate::client::Pasid;
use crate::interrupts::Handle;
use crate::layout::{Completion, Flags, Status};

/// An error for the device's log: its SWERROR register (9.2.14) or event log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SoftwareError {
    /// What happened.
    pub status: Status,
    /// The work queue, by its number in the device.
    pub queue: u32,
    /// The submitter.
    pub pasid: Option<Pasid>,
    /// The operation code.
    pub opcode: u8,
    /// Which descriptor of a batch it was, if it was in one.
    pub batch_index: Option<u32>,
    /// The faulting address and whether it was written, for page faults.
    pub fault: Option<(u64, bool)>,
    /// The flags that were invalid, for status 0x11.
    pub invalid_flags: Flags,
    /// The interrupt handle, if the descriptor asked for an interrupt.
    pub handle: Option<Handle>,
    /// The descriptor's flags.
    pub flags: Flags,
    /// The completion record, written or not.
    pub record: Completion,
}

/// Takes the errors of a device.
///
/// # Concurrency
/// Called from engines' threads; must not wait for the device.
pub trait ErrorLog: Send + Sync + 'static {
    /// Records one error.
    fn report(&self, error: SoftwareError);
}
