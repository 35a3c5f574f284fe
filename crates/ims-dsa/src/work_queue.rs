// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One work queue, as whoever submits to it or controls it holds it.

use std::fmt;
use std::sync::Arc;

use ims_vfio::Hold;

use crate::client::{Client, Pasid, Portal};
use crate::config::check_queue;
use crate::device::QueueError;
use crate::group::Group;
use crate::layout::Descriptor;
use crate::queue::{Place, SubmitError};
use crate::queue_config::QueueConfig;
use crate::wait::{Until, Whose};

/// One work queue. A clone is the same queue.
///
/// # Concurrency
/// All methods on any thread, and none waits. A [`Hold`] may be dropped before the
/// method returns, on this thread, or later on an engine's; in either case without
/// any lock held, so that what it calls may do anything with queues and the device
/// but wait: submit, enable, remove, even drop the device.
///
/// # After its end
/// When it was removed, or its device was dropped or [retired](crate::Device::retire),
/// it takes nothing, is empty and disabled, and holds are dropped as soon as what
/// was being executed has ended.
#[derive(Clone)]
pub struct WorkQueue {
    pub(crate) group: Arc<Group>,
    pub(crate) place: Place,
    pub(crate) number: u32,
}

impl fmt::Debug for WorkQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkQueue")
            .field("number", &self.number)
            .field("occupancy", &self.occupancy())
            .field("enabled", &self.is_enabled())
            .finish_non_exhaustive()
    }
}

impl WorkQueue {
    /// Its number in the device.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Appends a descriptor. Returns at once; the end is told as the descriptor
    /// asks.
    ///
    /// # Errors
    /// [`SubmitError`]: nothing of it will be executed.
    pub fn submit(
        &self,
        client: &Client,
        portal: Portal,
        descriptor: &Descriptor,
    ) -> Result<(), SubmitError> {
        self.group.submit(self.place, client, portal, descriptor)
    }

    /// Descriptors that wait in it.
    pub fn occupancy(&self) -> usize {
        let occupancy = self.group.with_queue(self.place, |queue| queue.occupancy());
        occupancy.unwrap_or(0)
    }

    /// Descriptors that an engine has ended since the queue was added, those it gave
    /// up included; 0 when it was removed.
    pub fn ended(&self) -> u64 {
        let ended = self.group.with_queue(self.place, |queue| queue.ended());
        ended.unwrap_or(0)
    }

    /// Whether it takes descriptors.
    pub fn is_enabled(&self) -> bool {
        let enabled = self
            .group
            .with_queue(self.place, |queue| queue.is_enabled());
        enabled.unwrap_or(false)
    }

    /// Lets it take descriptors.
    pub fn enable(&self) {
        self.set_enabled(true);
    }

    /// Makes it take nothing more. What it took goes on.
    pub fn disable(&self) {
        self.set_enabled(false);
    }

    fn set_enabled(&self, enabled: bool) {
        self.group
            .with_queue(self.place, |queue| queue.set_enabled(enabled));
    }

    /// Changes it, while it is disabled and empty: mode, sizes, priority, limits.
    ///
    /// # Errors
    /// [`QueueError`]; it is as it was.
    pub fn configure(&self, config: QueueConfig) -> Result<(), QueueError> {
        check_queue(self.number, &config)?;
        self.group
            .with_queue(self.place, |queue| {
                if queue.is_enabled() {
                    Err(QueueError::Enabled)
                } else if queue.occupancy() > 0 {
                    Err(QueueError::NotEmpty)
                } else if queue.config().group != config.group || config.size == 0 {
                    Err(QueueError::Fixed)
                } else {
                    queue.set_config(config);
                    Ok(())
                }
            })
            .ok_or(QueueError::NoSuchQueue)?
    }

    /// Keeps a clone of `hold` until all that was accepted so far has ended,
    /// interrupts included. While the engines are stopped, that is not before they
    /// are started again, or it is aborted.
    pub fn drain(&self, hold: Hold) {
        self.group
            .drain(Some(self.place), Whose::All, Until::Ended, hold);
    }

    /// As [`drain`](Self::drain), for one submitter.
    pub fn drain_pasid(&self, pasid: Pasid, hold: Hold) {
        let whose = Whose::Of(Some(pasid));
        self.group
            .drain(Some(self.place), whose, Until::Ended, hold);
    }

    /// Drops what waits, and makes engines give up what they execute of it between
    /// two steps; a clone of `hold` is kept until they have. Of what is dropped or
    /// given up nothing is told to its submitter. Returns how many never started.
    pub fn abort(&self, hold: Hold) -> usize {
        self.group.abort(Some(self.place), Whose::All, hold)
    }

    /// As [`abort`](Self::abort), for one submitter.
    pub fn abort_pasid(&self, pasid: Pasid, hold: Hold) -> usize {
        let whose = Whose::Of(Some(pasid));
        self.group.abort(Some(self.place), whose, hold)
    }

    /// Takes the queue out of its device: it is disabled and aborted, and its place
    /// given back when nothing of it is executed; a clone of `hold` is kept until
    /// then. Other clones of the queue find that it is gone.
    pub fn remove(self, hold: Hold) {
        self.group.remove(self.place, hold);
    }
}
