// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A driver for the block device. Source: virtio 1.3, 5.2.

mod queue;

use ims_virtio::layout::block::{SECTOR, config, feature};
use thiserror::Error;

pub use queue::{BlockQueue, bytes};

use crate::device::Device;
use crate::queue::QueueError;
use crate::transport::Transport;

/// What this driver wants of a block device; add what it wants of queues.
pub const FEATURES: u64 =
    feature::SEG_MAX | feature::RO | feature::BLK_SIZE | feature::FLUSH | feature::MQ;

/// What a device says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Geometry {
    /// Sectors of 512 bytes.
    pub sectors: u64,
    /// Bytes of its own blocks.
    pub block_size: u32,
    /// The most segments of data a request may have.
    pub segments: u32,
    /// How many queues it has.
    pub queues: u16,
    /// It cannot be written.
    pub read_only: bool,
}

/// Reads what the device says of itself, all at one time.
pub fn geometry<T: Transport>(device: &Device<T>) -> Geometry {
    let features = device.features();
    let has = |feature| features & feature != 0;
    device.configuration(|transport| {
        let read = |offset: usize, bytes| {
            let offset = u16::try_from(offset).unwrap_or(u16::MAX);
            transport.configuration(offset, bytes)
        };
        let word = |offset| u32::try_from(read(offset, 4)).unwrap_or(u32::MAX);
        // Two halves: 64 bits at once are not promised to be one access.
        let capacity = [0, 4].map(|half| u64::from(word(config::CAPACITY + half)));
        let [low, high] = capacity;
        let queues = u16::try_from(read(config::NUM_QUEUES, 2)).unwrap_or(1);
        Geometry {
            sectors: low | high << 32,
            block_size: if has(feature::BLK_SIZE) {
                word(config::BLK_SIZE)
            } else {
                SECTOR
            },
            segments: if has(feature::SEG_MAX) {
                word(config::SEG_MAX).max(1)
            } else {
                1
            },
            queues: if has(feature::MQ) { queues.max(1) } else { 1 },
            read_only: has(feature::RO),
        }
    })
}

/// Memory of the caller's that data comes from or goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Its bus address.
    pub address: u64,
    /// Its bytes.
    pub length: u32,
}

/// What a block device can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// Data from a sector on, into segments.
    Read {
        /// The first one.
        sector: u64,
    },
    /// Data of segments, from a sector on.
    Write {
        /// The first one.
        sector: u64,
    },
    /// What was written is to stay.
    Flush,
    /// Its name, into 20 bytes.
    Id,
}

/// A request that came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Completion {
    /// What submitting it returned.
    pub token: u16,
    /// How it went.
    pub result: Result<(), RequestError>,
}

/// How a request went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The device says so.
    #[error("the device could not do it: sectors that are not there, or a failing disk")]
    Failed,
    /// It cannot do this.
    #[error("the device does not do such requests")]
    Unsupported,
    /// It said nothing, or nonsense.
    #[error("the device gave it back with status {0}, which is none: reset it")]
    Status(u8),
    /// It says to have written less than was asked for.
    #[error("the device gave it back short, with {0} bytes of data")]
    Short(u32),
}

/// Why a request was not submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// Data that is not whole sectors, or is where none should be.
    #[error(
        "the data does not fit the request: give whole sectors, 20 bytes for the name, none to a flush"
    )]
    Data,
    /// The queue did not take it.
    #[error(transparent)]
    Queue(#[from] QueueError),
}
