// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A work queue (3.3): descriptors accepted and not yet started, and those
//! being executed.

use std::collections::VecDeque;
use std::sync::Arc;

use ims_vfio::Hold;

use crate::arbiter::Share;
use crate::client::{Client, Pasid, Portal};
use crate::cost;
use crate::errors::ErrorLog;
use crate::layout::Descriptor;
use crate::limits::Limits;
use crate::number::Number;
use crate::queue_config::{Mode, QueueConfig};
use crate::seat::Seat;
use crate::wait::{Until, Wait, Whose};

slotmap::new_key_type! {
    /// A queue's place in its group; never that of another queue later.
    pub(crate) struct Place;
}

/// Why a descriptor was not accepted. Nothing of it was executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// No room now.
    #[error("work queue full; retry when a descriptor has completed")]
    Full,
    /// The queue takes nothing.
    #[error("work queue not enabled; enable it first")]
    Disabled,
    /// The queue is dedicated to another submitter, or needs a PASID.
    #[error("this submitter may not use the work queue; use its own, or a shared one with a PASID")]
    WrongSubmitter,
    /// There is no such queue, or it, or its device, was taken away.
    #[error("no such work queue; check the number, and whether it was removed")]
    NoSuchQueue,
}

/// A descriptor on its way to an engine.
pub(crate) struct Job {
    pub(crate) descriptor: Descriptor,
    pub(crate) client: Client,
    pub(crate) portal: Portal,
    pub(crate) limits: Limits,
    /// Where its errors are reported.
    pub(crate) errors: Arc<dyn ErrorLog>,
    /// The queue's number in the device, and its place in the group.
    pub(crate) queue: u32,
    pub(crate) place: Place,
    /// Its place in the queue's order, over the queue's whole life.
    pub(crate) sequence: u64,
    /// What its queue pays for it when it is started.
    pub(crate) cost: u64,
}

/// A descriptor being executed.
struct Active {
    sequence: u64,
    pasid: Option<Pasid>,
    seat: Arc<Seat>,
}

/// A work queue's state; its group's lock is held around it.
pub(crate) struct Queue {
    number: Number,
    config: QueueConfig,
    errors: Arc<dyn ErrorLog>,
    enabled: bool,
    removed: bool,
    /// Its part in its group's engines.
    pub(crate) share: Share,
    waiting: VecDeque<Job>,
    active: Vec<Active>,
    waits: Vec<Wait>,
    next: u64,
    /// Descriptors that engines have ended.
    ended: u64,
}

impl Queue {
    pub(crate) fn new(number: Number, config: QueueConfig, errors: Arc<dyn ErrorLog>) -> Self {
        let waiting = VecDeque::with_capacity(config.size.into());
        Self {
            number,
            config,
            errors,
            enabled: false,
            removed: false,
            share: Share::new(config.priority),
            waiting,
            active: Vec::new(),
            waits: Vec::new(),
            next: 0,
            ended: 0,
        }
    }

    pub(crate) fn config(&self) -> &QueueConfig {
        &self.config
    }

    pub(crate) fn set_config(&mut self, config: QueueConfig) {
        self.config = config;
        self.share.set_priority(config.priority);
        self.waiting
            .reserve(usize::from(config.size).saturating_sub(self.waiting.len()));
    }

    pub(crate) fn is_enabled(&self) -> bool {
        self.enabled
    }

    pub(crate) fn set_enabled(&mut self, enabled: bool) {
        self.enabled = enabled && !self.removed;
    }

    /// It takes nothing more, ever.
    pub(crate) fn remove(&mut self) {
        self.enabled = false;
        self.removed = true;
    }

    pub(crate) fn is_removed(&self) -> bool {
        self.removed
    }

    /// Removed, and nothing of it is executed any more.
    pub(crate) fn is_gone(&self) -> bool {
        self.removed && self.active.is_empty()
    }

    /// Descriptors accepted and not yet started.
    pub(crate) fn occupancy(&self) -> usize {
        self.waiting.len()
    }

    /// The submission checks (5.3), then the queue's end.
    pub(crate) fn accept(
        &mut self,
        place: Place,
        client: &Client,
        portal: Portal,
        descriptor: &Descriptor,
    ) -> Result<(), SubmitError> {
        if self.removed {
            return Err(SubmitError::NoSuchQueue);
        }
        if !self.enabled {
            return Err(SubmitError::Disabled);
        }
        let room = match self.config.mode {
            Mode::Dedicated { owner } if owner == client.pasid => self.config.size,
            Mode::Shared if client.pasid.is_some() && portal.limited => self.config.threshold,
            Mode::Shared if client.pasid.is_some() => self.config.size,
            Mode::Dedicated { .. } | Mode::Shared => return Err(SubmitError::WrongSubmitter),
        };
        if self.waiting.len() >= usize::from(room) {
            return Err(SubmitError::Full);
        }
        self.waiting.push_back(Job {
            descriptor: *descriptor,
            client: client.clone(),
            portal,
            limits: self.config.limits,
            errors: Arc::clone(&self.errors),
            queue: self.number.get(),
            place,
            sequence: self.next,
            cost: cost::asked(descriptor),
        });
        self.next += 1;
        Ok(())
    }

    /// Hands the oldest descriptor to the engine in `seat`.
    pub(crate) fn start(&mut self, seat: &Arc<Seat>) -> Option<Job> {
        let job = self.waiting.pop_front()?;
        self.active.push(Active {
            sequence: job.sequence,
            pasid: job.client.pasid,
            seat: Arc::clone(seat),
        });
        for wait in &mut self.waits {
            if wait.means(job.sequence, job.client.pasid) {
                wait.waiting = wait.waiting.saturating_sub(1);
                wait.active += 1;
            }
        }
        Some(job)
    }

    /// The descriptor `sequence` has ended.
    pub(crate) fn finish(&mut self, sequence: u64) {
        let is_it = |active: &Active| active.sequence == sequence;
        let Some(at) = self.active.iter().position(is_it) else {
            return;
        };
        let ended = self.active.swap_remove(at);
        self.ended += 1;
        for wait in &mut self.waits {
            if wait.means(ended.sequence, ended.pasid) {
                wait.active = wait.active.saturating_sub(1);
            }
        }
    }

    /// Descriptors that engines have ended, given up or not.
    pub(crate) fn ended(&self) -> u64 {
        self.ended
    }

    /// Keeps `hold` until the descriptors before `mark` have ended.
    pub(crate) fn await_before(&mut self, mark: u64, whose: Whose, until: Until, hold: Hold) {
        let mut wait = Wait {
            mark,
            whose,
            waiting: 0,
            active: 0,
            until,
            hold,
        };
        let waiting = self.waiting.iter().take_while(|job| job.sequence < mark);
        wait.waiting = waiting
            .filter(|job| wait.means(job.sequence, job.client.pasid))
            .count();
        let active = self.active.iter();
        wait.active = active
            .filter(|active| wait.means(active.sequence, active.pasid))
            .count();
        self.waits.push(wait);
    }

    /// The holds nobody needs to keep longer, `running` being whether engines
    /// start more. To be dropped outside the lock.
    pub(crate) fn release(&mut self, running: bool, into: &mut Vec<Hold>) {
        let over = self.waits.extract_if(.., |wait| wait.is_over(running));
        into.extend(over.map(|wait| wait.hold));
    }

    /// The number the next accepted descriptor gets: all accepted so far are
    /// before it.
    pub(crate) fn mark(&self) -> u64 {
        self.next
    }

    /// Whether a descriptor before `mark` waits to be started.
    pub(crate) fn is_waiting(&self, mark: u64, whose: Whose) -> bool {
        self.waiting
            .iter()
            .take_while(|job| job.sequence < mark)
            .any(|job| whose.includes(job.client.pasid))
    }

    /// Whose descriptors a drain descriptor in this queue waits for (3.12).
    pub(crate) fn drained_with(&self, pasid: Option<Pasid>) -> Whose {
        match self.config.mode {
            Mode::Dedicated { .. } => Whose::All,
            Mode::Shared => Whose::Of(pasid),
        }
    }

    /// Takes out the descriptors not yet started; says how many.
    pub(crate) fn take_waiting(&mut self, whose: Whose, into: &mut Vec<Job>) -> usize {
        let meant = |job: &Job| whose.includes(job.client.pasid);
        let (taken, kept): (VecDeque<Job>, VecDeque<Job>) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(meant);
        self.waiting = kept;
        self.waiting.reserve(self.config.size.into());
        for wait in &mut self.waits {
            let meant = taken
                .iter()
                .filter(|job| wait.means(job.sequence, job.client.pasid));
            wait.waiting = wait.waiting.saturating_sub(meant.count());
        }
        let count = taken.len();
        into.extend(taken);
        count
    }

    /// Tells the engines that execute descriptors of these submitters to give up.
    pub(crate) fn abandon(&self, whose: Whose) {
        for active in &self.active {
            if whose.includes(active.pasid) {
                active.seat.abandon();
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn is_giving_up(&self) -> bool {
        self.active.iter().any(|active| active.seat.is_abandoned())
    }
}
