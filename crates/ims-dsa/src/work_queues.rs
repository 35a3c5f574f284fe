// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The data half of a device: submitting descriptors and waiting for them.

use std::fmt;
use std::sync::Arc;

use crate::client::{Client, Pasid, Portal};
use crate::device::QueueError;
use crate::group::{Group, Stopped};
use crate::layout::Descriptor;
use crate::queue::SubmitError;
use crate::wait::Whose;
use crate::work_queue::WorkQueue;

/// The groups, and the queues of the configuration.
pub(crate) struct Groups {
    pub(crate) groups: Vec<Arc<Group>>,
    pub(crate) queues: Vec<Option<WorkQueue>>,
}

/// The queues of a device's configuration, by number.
///
/// What is said of all queues is said of those added later too.
///
/// # Concurrency
/// Any number of clones, on any threads. Methods that wait must not be called by an
/// engine: not from [`Interrupts`](crate::Interrupts), an
/// [`AddressSpace`](crate::AddressSpace), an [`ErrorLog`](crate::ErrorLog), nor when
/// a hold is gone.
#[derive(Clone)]
pub struct WorkQueues {
    pub(crate) groups: Arc<Groups>,
}

impl fmt::Debug for WorkQueues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.groups.queues.iter().flatten())
            .finish()
    }
}

impl WorkQueues {
    pub(crate) fn find(&self, queue: u32) -> Option<&WorkQueue> {
        let queue = usize::try_from(queue).ok()?;
        self.groups.queues.get(queue)?.as_ref()
    }

    /// Queue number `queue`, `None` if there is no such queue or it has size 0.
    pub fn get(&self, queue: u32) -> Option<WorkQueue> {
        self.find(queue).cloned()
    }

    /// Appends a descriptor to queue number `queue`. Returns at once; the end
    /// is told as the descriptor asks.
    ///
    /// # Errors
    /// [`SubmitError`]: nothing of it will be executed.
    pub fn submit(
        &self,
        queue: u32,
        client: &Client,
        portal: Portal,
        descriptor: &Descriptor,
    ) -> Result<(), SubmitError> {
        let queue = self.find(queue).ok_or(SubmitError::NoSuchQueue)?;
        queue.submit(client, portal, descriptor)
    }

    /// Descriptors that wait in a queue; `None` if there is no such queue.
    pub fn occupancy(&self, queue: u32) -> Option<usize> {
        self.find(queue).map(WorkQueue::occupancy)
    }

    /// Waits until all that the queue has accepted so far has ended, interrupts
    /// included.
    ///
    /// # Errors
    /// [`QueueError::NoSuchQueue`], and [`QueueError::Stopped`] if descriptors
    /// are left that no engine will execute.
    pub fn drain_queue(&self, queue: u32) -> Result<(), QueueError> {
        let queue = self.find(queue).ok_or(QueueError::NoSuchQueue)?;
        Ok(queue.group.drain_and_wait(Some(queue.place), Whose::All)?)
    }

    /// Waits until all accepted so far from `pasid`, in any queue, has ended.
    ///
    /// # Errors
    /// [`Stopped`] if descriptors are left that no engine will execute.
    pub fn drain_pasid(&self, pasid: Pasid) -> Result<(), Stopped> {
        self.drain_everywhere(Whose::Of(Some(pasid)))
    }

    /// Waits until all that any queue has accepted so far has ended.
    ///
    /// # Errors
    /// [`Stopped`] if descriptors are left that no engine will execute.
    pub fn drain_all(&self) -> Result<(), Stopped> {
        self.drain_everywhere(Whose::All)
    }

    fn drain_everywhere(&self, whose: Whose) -> Result<(), Stopped> {
        let mut groups = self.groups.groups.iter();
        groups.try_for_each(|group| group.drain_and_wait(None, whose))
    }

    /// Drops what waits in the queue, makes engines give up what they execute
    /// of it between two steps, and waits until they have. Of what is dropped
    /// or given up nothing is told to its submitter. Returns how many never
    /// started.
    ///
    /// # Errors
    /// [`QueueError::NoSuchQueue`].
    pub fn abort_queue(&self, queue: u32) -> Result<usize, QueueError> {
        let queue = self.find(queue).ok_or(QueueError::NoSuchQueue)?;
        Ok(queue.group.abort_and_wait(Some(queue.place), Whose::All))
    }

    /// As [`WorkQueues::abort_queue`], for one submitter in every queue.
    pub fn abort_pasid(&self, pasid: Pasid) -> usize {
        self.abort_everywhere(Whose::Of(Some(pasid)))
    }

    /// As [`WorkQueues::abort_queue`], for every queue.
    pub fn abort_all(&self) -> usize {
        self.abort_everywhere(Whose::All)
    }

    fn abort_everywhere(&self, whose: Whose) -> usize {
        let groups = self.groups.groups.iter();
        groups.map(|group| group.abort_and_wait(None, whose)).sum()
    }
}
