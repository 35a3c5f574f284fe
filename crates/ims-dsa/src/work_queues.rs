// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The data half of a device: submitting descriptors and waiting for them.

use std::sync::Arc;

use crate::client::{Client, Pasid, Portal};
use crate::device::QueueError;
use crate::group::{Group, Stopped};
use crate::layout::Descriptor;
use crate::queue::{SubmitError, Whose};

/// A queue's group and its place there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) group: usize,
    pub(crate) queue: usize,
}

/// The groups, and where each queue is.
#[derive(Debug)]
pub(crate) struct Groups {
    pub(crate) groups: Vec<Arc<Group>>,
    pub(crate) places: Vec<Option<Place>>,
}

impl Groups {
    pub(crate) fn find(&self, queue: u32) -> Option<(&Group, usize)> {
        let place = (*self.places.get(usize::try_from(queue).ok()?)?)?;
        Some((&**self.groups.get(place.group)?, place.queue))
    }
}

/// The data half of a device: takes descriptors and waits for them.
///
/// # Concurrency
/// Any number of clones, on any threads.
#[derive(Debug, Clone)]
pub struct WorkQueues {
    pub(crate) groups: Arc<Groups>,
}

impl WorkQueues {
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
        let (group, place) = self.groups.find(queue).ok_or(SubmitError::NoSuchQueue)?;
        group.submit(place, client, portal, descriptor)
    }

    /// Descriptors that wait in a queue; `None` if there is no such queue.
    pub fn occupancy(&self, queue: u32) -> Option<usize> {
        let (group, place) = self.groups.find(queue)?;
        group.with_queue(place, |queue| queue.occupancy())
    }

    /// Waits until all that the queue has accepted so far has ended, interrupts
    /// included.
    ///
    /// # Errors
    /// [`QueueError::NoSuchQueue`], and [`QueueError::Stopped`] if descriptors
    /// are left that no engine will execute.
    pub fn drain_queue(&self, queue: u32) -> Result<(), QueueError> {
        let (group, place) = self.groups.find(queue).ok_or(QueueError::NoSuchQueue)?;
        Ok(group.drain(Some(place), Whose::All)?)
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
        self.groups
            .groups
            .iter()
            .try_for_each(|group| group.drain(None, whose))
    }

    /// Drops what waits in the queue, makes engines give up what they execute
    /// of it between two steps, and waits until they have. Of what is dropped
    /// nothing is told to its submitter. Returns how many never started.
    ///
    /// # Errors
    /// [`QueueError::NoSuchQueue`].
    pub fn abort_queue(&self, queue: u32) -> Result<usize, QueueError> {
        let (group, place) = self.groups.find(queue).ok_or(QueueError::NoSuchQueue)?;
        Ok(group.abort(Some(place), Whose::All))
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
        self.groups
            .groups
            .iter()
            .map(|group| group.abort(None, whose))
            .sum()
    }
}
