// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The driver's half of a split virtqueue. Source: virtio 1.3, 2.7.
//!
//! What is in flight is kept in memory of the driver's own: the device may write what
//! it wants into the rings, and can at worst stop its own queue.

mod layout;
mod slots;
mod split;

use thiserror::Error;

pub use split::{Options, SplitQueue};

/// Bytes of shared memory that a queue takes, whose tables of indirect descriptors
/// have `table` each (0 for none). A multiple of 16.
pub const fn bytes(size: u16, table: u16) -> usize {
    layout::Layout { size, table }.bytes()
}

/// Memory that the device reads or writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Buffer {
    /// Its bus address.
    pub address: u64,
    /// Its bytes.
    pub length: u32,
    /// The device writes it; it reads it otherwise.
    pub writable: bool,
}

/// Where a queue's rings are, in bus addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rings {
    /// Descriptors.
    pub size: u16,
    /// Where the descriptors are.
    pub descriptors: u64,
    /// The driver's ring.
    pub driver: u64,
    /// The device's ring.
    pub device: u64,
}

/// A chain that came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Used {
    /// What adding it returned.
    pub token: u16,
    /// How many bytes the device says to have written: no more than it could.
    pub written: u32,
}

/// Why a queue did not do what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum QueueError {
    /// Not enough descriptors are free.
    #[error("the queue is full: take what has come back, then add again")]
    Full,
    /// A chain must have a buffer, no more than fit in the queue, and those that the
    /// device writes come last.
    #[error(
        "not a chain: give 1 buffer or more, no more than the queue's size, those the device reads first"
    )]
    Chain,
    /// The size.
    #[error(
        "a queue cannot have this size: take a power of two, at most the device's and the driver's greatest"
    )]
    Size,
    /// The memory.
    #[error(
        "the queue's memory is too short or not aligned: give it what `queue::bytes` says, on a multiple of 16"
    )]
    Memory,
    /// The device gave back what it was not given, or more than there was.
    #[error("the device broke the rules of the queue: reset it")]
    Broken,
}
