// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Waiting for descriptors: by a hold, on a thread, in a drain, for a page.

use std::sync::Arc;
use std::time::Duration;

use ims_vfio::Hold;

use super::state::State;
use super::{Group, Stopped};
use crate::bell::Bell;
use crate::cost;
use crate::queue::{Job, Place};
use crate::seat::Seat;
use crate::wait::{Until, Whose};

/// How long a page is waited for at most while another queue's descriptors wait.
const PATIENCE: Duration = Duration::from_millis(100);

impl Group {
    /// Waits until the descriptors before a drain descriptor have ended; they
    /// were all started before it. Ends early if the drain is abandoned.
    pub(crate) fn wait_before(&self, job: &Job, seat: &Seat) {
        let bell = Arc::new(Bell::default());
        let hold = bell.hold();
        self.change(|state, over| {
            if let Some(queue) = state.queues.get_mut(job.place) {
                let whose = queue.drained_with(job.client.pasid);
                queue.await_before(job.sequence, whose, Until::Ended, hold.clone());
                state.release(job.place, over);
            }
        });
        drop(hold);
        seat.sleep(&bell);
    }

    /// An engine of this `run` is about to wait, or goes on waiting, for a page; it
    /// has waited for `so_far`, the last `slice` of it since it asked. Says whether
    /// it may: not if the engines stop, nor for long while others wait for it.
    pub(crate) fn may_wait(
        &self,
        queue: Place,
        run: u64,
        so_far: Duration,
        slice: Duration,
    ) -> bool {
        let mut state = self.lock();
        if state.running != Some(run) {
            return false;
        }
        if so_far.is_zero() {
            state.blocked += 1;
            return true;
        }
        let State {
            queues, arbiter, ..
        } = &mut *state;
        let mut own = 0;
        if let Some(queue) = queues.get_mut(queue) {
            arbiter.charge(&mut queue.share, cost::waited(slice));
            own = usize::from(queue.share.is_ready());
        }
        let others = arbiter.ready() > own;
        !others || state.blocked < self.engines && so_far < PATIENCE
    }

    /// It does not wait for a page any longer.
    pub(crate) fn waited(&self) {
        let mut state = self.lock();
        state.blocked = state.blocked.saturating_sub(1);
    }

    /// Keeps `hold` until every descriptor accepted so far has ended, of one queue
    /// (or all) and of the submitters meant.
    pub(crate) fn drain(&self, queue: Option<Place>, whose: Whose, until: Until, hold: Hold) {
        self.change(|state, over| {
            for place in state.places(queue) {
                if let Some(queue) = state.queues.get_mut(place) {
                    queue.await_before(queue.mark(), whose, until, hold.clone());
                    state.release(place, over);
                }
            }
        });
    }

    /// As [`drain`](Self::drain), and waits.
    pub(crate) fn drain_and_wait(&self, queue: Option<Place>, whose: Whose) -> Result<(), Stopped> {
        let bell = Arc::new(Bell::default());
        let state = self.lock();
        let marks: Vec<(Place, u64)> = state
            .places(queue)
            .into_iter()
            .filter_map(|place| Some((place, state.queues.get(place)?.mark())))
            .collect();
        drop(state);
        self.drain(queue, whose, Until::Stopped, bell.hold());
        bell.wait();
        let state = self.lock();
        let is_left = |(place, mark): &(Place, u64)| {
            let queue = state.queues.get(*place);
            queue.is_some_and(|queue| queue.is_waiting(*mark, whose))
        };
        if marks.iter().any(is_left) {
            Err(Stopped)
        } else {
            Ok(())
        }
    }

    /// Drops what is not started and makes engines give up what is, keeping `hold`
    /// until they have; says how many were dropped.
    pub(crate) fn abort(&self, queue: Option<Place>, whose: Whose, hold: Hold) -> usize {
        self.change(|state, over| {
            let places = state.places(queue).into_iter();
            places
                .map(|place| state.abort(place, whose, &hold, over))
                .sum()
        })
    }

    /// As [`abort`](Self::abort), and waits.
    pub(crate) fn abort_and_wait(&self, queue: Option<Place>, whose: Whose) -> usize {
        let bell = Arc::new(Bell::default());
        let count = self.abort(queue, whose, bell.hold());
        bell.wait();
        count
    }
}
