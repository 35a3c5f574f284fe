// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A group's queues and what is done to them under the lock.

use std::sync::Arc;

use ims_vfio::Hold;
use slotmap::SlotMap;

use crate::arbiter::Arbiter;
use crate::queue::{Job, Place, Queue};
use crate::seat::Seat;
use crate::wait::{Until, Whose};

/// The queues of a group, under its lock.
pub(super) struct State {
    pub(super) queues: SlotMap<Place, Queue>,
    pub(super) arbiter: Arbiter<Place>,
    /// Which start of the engines this is, while they run.
    pub(super) running: Option<u64>,
    pub(super) starts: u64,
    /// How many sleep on `work`, and how many of those were called and are yet
    /// to wake: a call is a system call, and one for each sleeper is enough.
    pub(super) idle: usize,
    pub(super) called: usize,
    /// How many engines wait for a page.
    pub(super) blocked: usize,
}

/// What is dropped without the lock, for that may call somebody: descriptors with
/// their address spaces first, whoever waited for them last.
#[derive(Default)]
#[must_use = "dropped after the lock is given back"]
pub(super) struct Over {
    pub(super) jobs: Vec<Job>,
    pub(super) queues: Vec<Queue>,
    pub(super) holds: Vec<Hold>,
}

impl Over {
    pub(super) fn is_empty(&self) -> bool {
        self.jobs.is_empty() && self.queues.is_empty() && self.holds.is_empty()
    }
}

/// A descriptor that has ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ended {
    pub(crate) queue: Place,
    pub(crate) sequence: u64,
    /// What was paid for it, and what it would have been right to pay.
    pub(crate) paid: u64,
    pub(crate) cost: u64,
}

impl State {
    pub(super) fn new() -> Self {
        Self {
            queues: SlotMap::with_key(),
            arbiter: Arbiter::new(),
            running: None,
            starts: 0,
            idle: 0,
            called: 0,
            blocked: 0,
        }
    }

    /// Takes note that a descriptor has ended.
    pub(super) fn finish(&mut self, ended: Ended, over: &mut Over) {
        let Some(queue) = self.queues.get_mut(ended.queue) else {
            return;
        };
        if let Some(more) = ended.cost.checked_sub(ended.paid) {
            self.arbiter.charge(&mut queue.share, more);
        } else {
            let less = ended.paid.saturating_sub(ended.cost);
            self.arbiter.refund(&mut queue.share, less);
        }
        queue.finish(ended.sequence);
        self.release(ended.queue, over);
    }

    /// Hands out the holds of a queue that need not be kept, and the queue if it
    /// is gone.
    pub(super) fn release(&mut self, place: Place, over: &mut Over) {
        let running = self.running.is_some();
        if let Some(queue) = self.queues.get_mut(place) {
            queue.release(running, &mut over.holds);
            if queue.is_gone() {
                self.arbiter.leave(&mut queue.share);
                over.queues.extend(self.queues.remove(place));
            }
        }
    }

    /// The next descriptor, by the arbiter.
    pub(super) fn start(&mut self, seat: &Arc<Seat>) -> Option<Job> {
        let place = self.arbiter.first()?;
        let queue = self.queues.get_mut(place)?;
        let job = queue.start(seat)?;
        seat.begin();
        self.arbiter.serve(&mut queue.share, job.cost);
        if queue.occupancy() == 0 {
            self.arbiter.leave(&mut queue.share);
        }
        Some(job)
    }

    /// Drops what waits in a queue and makes engines give up what they execute of it;
    /// says how many never started.
    pub(super) fn abort(
        &mut self,
        place: Place,
        whose: Whose,
        hold: &Hold,
        over: &mut Over,
    ) -> usize {
        let Some(queue) = self.queues.get_mut(place) else {
            return 0;
        };
        let count = queue.take_waiting(whose, &mut over.jobs);
        if queue.occupancy() == 0 {
            self.arbiter.leave(&mut queue.share);
        }
        queue.abandon(whose);
        queue.await_before(queue.mark(), whose, Until::Ended, hold.clone());
        self.release(place, over);
        count
    }

    /// The queues meant: one, or all of them.
    pub(super) fn places(&self, queue: Option<Place>) -> Vec<Place> {
        queue.map_or_else(|| self.queues.keys().collect(), |place| vec![place])
    }
}
