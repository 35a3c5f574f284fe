// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a device author writes.

use ims_vfio::Hold;
use virtio_queue::Queue;

use crate::memory::Memory;
use crate::notifier::Notifier;

/// A virtio device. It chooses no transport: it names queues and events.
///
/// # Concurrency
/// `notify` is called on any thread, several at a time; everything else on one at a
/// time. None of them waits for work or for memory: that is for threads of the
/// device's own.
pub trait Device<M: Memory>: Send + Sync + 'static {
    /// Its number. Source: virtio 1.3, 5.
    fn id(&self) -> u32;

    /// Its own feature bits, and those of its queues. The transport adds
    /// `VERSION_1` and its own.
    fn features(&self) -> u64;

    /// The greatest size of each queue, a power of two each.
    fn queues(&self) -> &[u16];

    /// Reads its configuration. What is beyond its end reads as zero.
    fn read_config(&self, offset: u64, into: &mut [u8]);

    /// Writes its configuration. What cannot be written is ignored.
    fn write_config(&self, offset: u64, from: &[u8]) {
        let _ = (offset, from);
    }

    /// Changes with the configuration.
    fn config_generation(&self) -> u32 {
        0
    }

    /// The driver has set everything up (`DRIVER_OK`).
    ///
    /// # Errors
    /// [`StartError`]; the driver is told that the device needs a reset.
    fn start(&self, setup: Setup<M>) -> Result<(), StartError>;

    /// The driver put something into `queue`. Called also for queues that are not in
    /// use, and before a start.
    fn notify(&self, queue: u16);

    /// Back to the state before the start. Whatever goes on for a while keeps a clone
    /// of `hold`, touches no memory and tells nothing when it has dropped it; the
    /// driver sees the reset done when all are dropped.
    fn stop(&self, hold: Hold);
}

/// What a device starts with.
#[derive(Debug)]
#[non_exhaustive]
pub struct Setup<M> {
    /// Where the driver's memory is.
    pub memory: M,
    /// Features that both sides have.
    pub features: u64,
    /// The queues; `None` for one that the driver does not use. Their addresses
    /// are the driver's, and were in memory when this was made.
    pub queues: Vec<Option<Queue>>,
    /// By which the driver is told.
    pub notifier: Notifier,
}

impl<M> Setup<M> {
    /// Of all its parts.
    pub fn new(memory: M, features: u64, queues: Vec<Option<Queue>>, notifier: Notifier) -> Self {
        Self {
            memory,
            features,
            queues,
            notifier,
        }
    }
}

/// Why a device does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A queue that it needs was not set up.
    #[error("queue {queue} is needed, and not set up: let the driver enable it before DRIVER_OK")]
    Queue {
        /// Which one.
        queue: u16,
    },
    /// A queue's rings are not in memory.
    #[error(
        "queue {queue} is not where the driver said: its rings must lie in memory that the device may use"
    )]
    Rings {
        /// Which one.
        queue: u16,
    },
    /// What it works with is missing or failed.
    #[error("the device cannot work: {0}")]
    Backing(#[source] std::io::Error),
}
