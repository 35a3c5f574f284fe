// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a block device is to be.

use crate::layout::block::SECTOR;
use crate::layout::block::request::ID_BYTES;

/// What a block device is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockOptions {
    /// Request queues: at least one.
    pub queues: u16,
    /// The greatest size of each: a power of two, 4 to 32768.
    pub queue_size: u16,
    /// Threads that read and write: at least one.
    pub workers: u16,
    /// Whether writes are refused. A file that cannot be written must be.
    pub read_only: bool,
    /// Bytes of a block, for the driver to keep to: a power of two, at least 512.
    /// Any sector can be asked for.
    pub block_size: u32,
    /// What the driver is told when it asks who this is: at most 20 bytes of ASCII.
    pub id: String,
}

impl Default for BlockOptions {
    fn default() -> Self {
        Self {
            queues: 1,
            queue_size: 256,
            workers: 2,
            read_only: false,
            block_size: SECTOR,
            id: String::from("ims"),
        }
    }
}

/// Why there is no block device.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BlockError {
    /// A number is 0.
    #[error("a block device needs a queue and a worker: ask for one of each at least")]
    Nothing,
    /// Queues of a size that cannot be.
    #[error("a queue of {0} cannot be: ask for a power of two, 4 to 32768")]
    QueueSize(u16),
    /// Blocks of a size that cannot be.
    #[error("a block of {0} bytes cannot be: ask for a power of two, at least 512")]
    BlockSize(u32),
    /// A string that does not fit.
    #[error("{0:?} is no id: give at most 20 characters of ASCII")]
    Id(String),
    /// The file cannot be used.
    #[error("the file cannot be used: {0}; give a regular file or a block device")]
    File(#[source] std::io::Error),
    /// The operating system gave no thread.
    #[error("no thread for a worker: {0}; ask for fewer or raise the limit")]
    Thread(#[source] std::io::Error),
}

impl BlockOptions {
    pub(super) fn check(&self) -> Result<(), BlockError> {
        if self.queues == 0 || self.workers == 0 {
            return Err(BlockError::Nothing);
        }
        if !self.queue_size.is_power_of_two() || self.queue_size < 4 {
            return Err(BlockError::QueueSize(self.queue_size));
        }
        if !self.block_size.is_power_of_two() || self.block_size < SECTOR {
            return Err(BlockError::BlockSize(self.block_size));
        }
        if !self.id.is_ascii() || self.id.len() > ID_BYTES {
            return Err(BlockError::Id(self.id.clone()));
        }
        Ok(())
    }
}
