// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A group (3.4): queues, and the engines that serve them.
//!
//! One short lock a group holds the queues. Nothing is executed, called or waited
//! for under it: a submitter appends, an engine takes one out, and what is no
//! longer needed is handed out as [`Over`], to be dropped when the lock is given
//! back. Whoever waits for descriptors leaves a [`Hold`] at their queue.

#[cfg(all(test, loom))]
mod models;
mod state;
mod waiting;

use std::sync::{Arc, PoisonError};

use ims_vfio::Hold;

use crate::client::{Client, Portal};
use crate::layout::Descriptor;
use crate::queue::{Job, Place, Queue, SubmitError};
use crate::seat::Seat;
use crate::sync::{Condvar, Mutex, MutexGuard};
use crate::wait::Whose;

pub(crate) use state::Ended;
use state::{Over, State};

/// Waiting would not end: descriptors are queued and no engine runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the engines are stopped and will not finish what is queued; start them or abort")]
pub struct Stopped;

/// The queues of a group, and where its engines sleep.
pub(crate) struct Group {
    state: Mutex<State>,
    /// Engines sleep here while no queue has a descriptor.
    work: Condvar,
    engines: usize,
}

impl Group {
    pub(crate) fn new(engines: usize) -> Self {
        Self {
            state: Mutex::new(State::new()),
            work: Condvar::new(),
            engines,
        }
    }

    /// The state stays whole even if a thread panics with the lock held: each
    /// change to it is made in one step.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, and drops what is over when the lock is given back.
    fn change<T>(&self, change: impl FnOnce(&mut State, &mut Over) -> T) -> T {
        let mut over = Over::default();
        let mut state = self.lock();
        let answer = change(&mut state, &mut over);
        drop(state);
        drop(over);
        answer
    }

    /// Adds a queue, disabled.
    pub(crate) fn add(&self, queue: Queue) -> Place {
        self.lock().queues.insert(queue)
    }

    /// Takes a queue out when nothing of it is executed any more.
    pub(crate) fn remove(&self, place: Place, hold: Hold) {
        self.change(|state, over| {
            if let Some(queue) = state.queues.get_mut(place) {
                queue.remove();
                state.abort(place, Whose::All, &hold, over);
            }
        });
    }

    pub(crate) fn submit(
        &self,
        place: Place,
        client: &Client,
        portal: Portal,
        descriptor: &Descriptor,
    ) -> Result<(), SubmitError> {
        let mut state = self.lock();
        let State {
            queues, arbiter, ..
        } = &mut *state;
        let queue = queues.get_mut(place).ok_or(SubmitError::NoSuchQueue)?;
        queue.accept(place, client, portal, descriptor)?;
        arbiter.enter(place, &mut queue.share);
        let wake = state.idle > state.called;
        state.called += usize::from(wake);
        drop(state);
        if wake {
            self.work.notify_one();
        }
        Ok(())
    }

    /// Looks at or changes one queue.
    pub(crate) fn with_queue<T>(
        &self,
        place: Place,
        look: impl FnOnce(&mut Queue) -> T,
    ) -> Option<T> {
        self.lock()
            .queues
            .get_mut(place)
            .filter(|queue| !queue.is_removed())
            .map(look)
    }

    /// The next descriptor for the engine in `seat`, slept for if there is none;
    /// `None` when the engines of this `run` are to stop. Takes note that `ended`,
    /// the one before, has ended: one lock a descriptor.
    pub(crate) fn next(&self, seat: &Arc<Seat>, run: u64, ended: Option<Ended>) -> Option<Job> {
        let mut over = Over::default();
        let mut state = self.lock();
        if let Some(ended) = ended {
            state.finish(ended, &mut over);
        }
        if !over.is_empty() {
            drop(state);
            drop(over);
            state = self.lock();
        }
        while state.running == Some(run) {
            if let Some(job) = state.start(seat) {
                return Some(job);
            }
            state.idle += 1;
            state = self
                .work
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
            state.called = state.called.saturating_sub(1);
        }
        None
    }

    /// A descriptor that `next` gave out has ended, and no next one is wanted.
    pub(crate) fn finish(&self, ended: Ended) {
        self.change(|state, over| state.finish(ended, over));
    }

    /// Whether an engine was told to give up what it executes of a queue.
    #[cfg(test)]
    pub(crate) fn is_giving_up(&self, place: Place) -> bool {
        self.lock().queues[place].is_giving_up()
    }

    /// How many engines wait for a page.
    #[cfg(test)]
    pub(crate) fn blocked(&self) -> usize {
        self.lock().blocked
    }

    /// How many queues there are.
    #[cfg(test)]
    pub(crate) fn queues(&self) -> usize {
        self.lock().queues.len()
    }

    /// Lets engines run; says which run it is.
    pub(crate) fn run(&self) -> u64 {
        let mut state = self.lock();
        state.starts += 1;
        state.running = Some(state.starts);
        state.starts
    }

    /// Makes the engines stop, each after the descriptor at hand.
    pub(crate) fn stop(&self) {
        self.change(|state, over| {
            state.running = None;
            for place in state.places(None) {
                state.release(place, over);
            }
        });
        self.work.notify_all();
    }

    /// The same for ever: what waits is dropped and all queues are removed.
    pub(crate) fn close(&self) {
        self.change(|state, over| {
            state.running = None;
            for place in state.places(None) {
                if let Some(queue) = state.queues.get_mut(place) {
                    queue.remove();
                    queue.take_waiting(Whose::All, &mut over.jobs);
                    state.arbiter.leave(&mut queue.share);
                    state.release(place, over);
                }
            }
        });
        self.work.notify_all();
    }
}
