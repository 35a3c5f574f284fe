// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The operations on memory (8.3), one kind a file.
//!
//! Each takes a descriptor that passed its checks and an address space, and
//! says how far it got. None trusts a size or an address beyond that: every
//! byte is reached through a window of the space.

mod apply_delta;
mod cache_flush;
mod compare;
mod crc;
mod create_delta;
mod dif;
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
    /// The record's first operation-specific quadword.
    pub(crate) value: u64,
    /// The record's second operation-specific quadword.
    pub(crate) tail: u64,
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
            tail: 0,
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

    /// Stopped with `status` after `completed` bytes.
    fn stopped(status: Status, completed: u32) -> Self {
        Self {
            completed,
            bytes: completed.into(),
            ..Self::refused(status)
        }
    }

    /// Stopped at `fault` after `completed` bytes.
    fn faulted(fault: Fault, completed: u32) -> Self {
        Self {
            fault: Some(fault),
            ..Self::stopped(Status::PageFault, completed)
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
        Opcode::CreateDelta => create_delta::execute(descriptor, space),
        Opcode::ApplyDelta => apply_delta::execute(descriptor, space),
        Opcode::Dualcast => dualcast::execute(descriptor, space),
        Opcode::Crc => crc::execute(descriptor, space, None),
        Opcode::CopyCrc => crc::execute(descriptor, space, Some(descriptor.destination.get())),
        Opcode::DifCheck => dif::check(descriptor, space),
        Opcode::DifInsert => dif::insert(descriptor, space),
        Opcode::DifStrip => dif::strip(descriptor, space),
        Opcode::DifUpdate => dif::update(descriptor, space),
        Opcode::CacheFlush => cache_flush::execute(descriptor, space),
        // Waiting and lists are the engine's.
        Opcode::NoOp | Opcode::Drain | Opcode::Batch => Outcome::refused(Status::Success),
    }
}

/// A position within a transfer, as a record counts it.
fn count(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// The transfer's length in bytes.
fn length(descriptor: &Descriptor) -> usize {
    descriptor.size.get() as usize
}

/// The status of an operation whose result is or is not as expected (8.3.6,
/// 8.3.8).
fn judged(descriptor: &Descriptor, expected: bool) -> Status {
    if descriptor.flags().contains(Flags::CHECK_RESULT) && !expected {
        Status::FalsePredicate
    } else {
        Status::Success
    }
}

#[cfg(test)]
mod tests;
