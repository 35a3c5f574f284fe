// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The operations on memory (8.3), one kind a file.
//!
//! Each takes a descriptor that passed its checks and an address space, and
//! says how far it got. None trusts a size or an address beyond that: every
//! byte is reached through a window of the space.

mod compare;
mod crc;
mod dualcast;
mod fill;
mod memory_move;

use crate::layout::{Descriptor, Flags, Opcode, Status};
use crate::memory::AddressSpace;
use crate::transfer::Fault;

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) status: Status,
    pub(crate) fault: Option<Fault>,
    pub(crate) result: u8,
    /// The record's count of bytes (or descriptors) completed.
    pub(crate) completed: u32,
    /// The record's operation-specific quadword.
    pub(crate) value: u64,
    /// Bytes moved or looked at, for the counters.
    pub(crate) bytes: u64,
}

impl Outcome {
    /// Ended with `status` before anything was done.
    pub(crate) fn refused(status: Status) -> Self {
        Self {
            status,
            fault: None,
            result: 0,
            completed: 0,
            value: 0,
            bytes: 0,
        }
    }

    /// Did all of `bytes`.
    fn done(bytes: u32) -> Self {
        Self {
            bytes: bytes.into(),
            ..Self::refused(Status::Success)
        }
    }

    /// Stopped at `fault` after `completed` bytes.
    fn faulted(fault: Fault, completed: u32) -> Self {
        Self {
            fault: Some(fault),
            completed,
            bytes: completed.into(),
            ..Self::refused(Status::PageFault)
        }
    }
}

/// Does what a checked descriptor asks of memory.
pub(crate) fn execute(
    opcode: Opcode,
    descriptor: &Descriptor,
    space: &dyn AddressSpace,
) -> Outcome {
    match opcode {
        Opcode::MemoryMove => memory_move::execute(descriptor, space),
        Opcode::Fill => fill::execute(descriptor, space),
        Opcode::Compare => compare::memory(descriptor, space),
        Opcode::ComparePattern => compare::pattern(descriptor, space),
        Opcode::Dualcast => dualcast::execute(descriptor, space),
        Opcode::Crc => crc::execute(descriptor, space, None),
        Opcode::CopyCrc => crc::execute(descriptor, space, Some(descriptor.destination.get())),
        // Waiting and lists are the engine's.
        Opcode::NoOp | Opcode::Drain | Opcode::Batch => Outcome::refused(Status::Success),
    }
}

/// Whether two stretches of `length` bytes share one.
pub(crate) fn overlap(a: u64, b: u64, length: u32) -> bool {
    a.abs_diff(b) < u64::from(length)
}

/// A position within a transfer, as a record counts it.
fn count(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// The transfer's length in bytes.
fn length(descriptor: &Descriptor) -> usize {
    descriptor.size.get() as usize
}

/// The status of a comparison that found `result` (8.3.6).
fn judged(descriptor: &Descriptor, result: u8) -> Status {
    let checked = descriptor.flags().contains(Flags::CHECK_RESULT);
    if checked && descriptor.expected_result() != result {
        Status::FalsePredicate
    } else {
        Status::Success
    }
}

#[cfg(test)]
mod tests;
