// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The device: what transports see of it.

use std::fmt;

use ims::domain::{Affinity, Location, Moved};
use ims_host::{HostError, IrqCounts};
use ims_vfio::Hold;

use super::config::Configuration;
use super::disk::Disk;
use super::options::{BlockError, BlockOptions};
use super::request::Requests;
use crate::device::{Device, Setup, StartError};
use crate::layout::block::{ID, feature};
use crate::layout::features::{RING_EVENT_IDX, RING_INDIRECT_DESC};
use crate::memory::Memory;
use crate::queues::{BackingInterrupts, Queues};

/// A block device with several queues, on a file.
///
/// Requests are read and written by its workers. When one is done the host-side
/// interrupt of its queue is raised; who takes it completes the used ring and tells
/// the driver. Without `FLUSH` negotiated each write is on stable storage when it is
/// told; with it, when a flush that came after it is.
///
/// Its threads end when it is dropped.
pub struct Block {
    queues: Queues<Requests>,
    sizes: Vec<u16>,
    features: u64,
    configuration: Configuration,
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Block")
            .field("queues", &self.sizes.len())
            .field("features", &self.features)
            .finish_non_exhaustive()
    }
}

impl Block {
    /// A device on `disk` whose host-side interrupts are entries of `interrupts`: one
    /// for each queue in use, from a start to the stop after it.
    ///
    /// # Errors
    /// [`BlockError`]; no thread is left then.
    pub fn new(
        disk: Disk,
        interrupts: BackingInterrupts,
        options: &BlockOptions,
    ) -> Result<Self, BlockError> {
        options.check()?;
        let read_only = options.read_only || !disk.is_writable();
        let mut features = RING_INDIRECT_DESC
            | RING_EVENT_IDX
            | feature::SEG_MAX
            | feature::BLK_SIZE
            | feature::FLUSH
            | feature::MQ;
        if read_only {
            features |= feature::RO;
        }
        let configuration = Configuration::new(disk.sectors(), options);
        let requests = Requests::new(disk.sectors(), read_only, &options.id);
        let places = disk.places(options.workers);
        let queues = Queues::new("block", requests, places, interrupts);
        Ok(Self {
            queues: queues.map_err(BlockError::Thread)?,
            sizes: vec![options.queue_size; options.queues.into()],
            features,
            configuration,
        })
    }

    /// Where the host-side interrupt of `queue` goes, and what happened to it since
    /// the start. `None` while the queue does not run.
    pub fn interrupt(&self, queue: u16) -> Option<(Location, IrqCounts)> {
        self.queues.interrupt(queue)
    }

    /// Moves the host-side interrupt of `queue`, until the next start. `None` while
    /// the queue does not run.
    pub fn set_affinity(
        &self,
        queue: u16,
        affinity: &Affinity,
    ) -> Option<Result<Moved, HostError>> {
        self.queues.set_affinity(queue, affinity)
    }
}

impl<M: Memory> Device<M> for Block {
    fn id(&self) -> u32 {
        ID
    }

    fn features(&self) -> u64 {
        self.features
    }

    fn queues(&self) -> &[u16] {
        &self.sizes
    }

    fn read_config(&self, offset: u64, into: &mut [u8]) {
        self.configuration.read(offset, into);
    }

    fn start(&self, setup: Setup<M>) -> Result<(), StartError> {
        let longest = self.sizes.first().copied().unwrap_or_default();
        self.queues.start(setup, longest)
    }

    fn notify(&self, queue: u16) {
        self.queues.notify(queue);
    }

    fn stop(&self, hold: Hold) {
        self.queues.stop(hold);
    }
}
