// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A group (3.4): queues, and the engines that serve them.
//!
//! One short lock a group holds the queues. Nothing is executed, allocated or
//! waited for under it on the way of a descriptor: a submitter appends and an
//! engine takes one out.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::arbiter::Arbiter;
use crate::client::{Client, Portal};
use crate::layout::Descriptor;
use crate::queue::{Job, Queue, QueueConfig, SubmitError, Whose};

/// Waiting would not end: descriptors are queued and no engine runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the engines are stopped and will not finish what is queued; start them or abort")]
pub struct Stopped;

/// The queues of a group, and where its engines sleep.
#[derive(Debug)]
pub(crate) struct Group {
    state: Mutex<State>,
    /// Engines sleep here while no queue has a descriptor.
    work: Condvar,
    /// Whoever waits for descriptors to end sleeps here.
    ended: Condvar,
    /// For each engine, whether to give up what it executes.
    abandon: Box<[AtomicBool]>,
}

#[derive(Debug)]
struct State {
    queues: Vec<Queue>,
    arbiter: Arbiter,
    running: bool,
    /// How many sleep on `work`, and how many of those were called and are yet
    /// to wake: a call is a system call, and one for each sleeper is enough.
    idle: usize,
    called: usize,
}

/// Descriptors of one queue to wait for: those before a mark.
struct Awaited {
    place: usize,
    mark: u64,
    whose: Whose,
}

/// A descriptor's queue, by its place in the group, and place in that.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) queue: usize,
    pub(crate) sequence: u64,
}

impl State {
    /// Says whether somebody who waits need not wait longer.
    fn finish(&mut self, ended: Place) -> bool {
        let queue = self.queues.get_mut(ended.queue);
        queue.is_some_and(|queue| queue.finish(ended.sequence, self.running))
    }

    fn is_active(&self, awaited: &Awaited) -> bool {
        let queue = self.queues.get(awaited.place);
        queue.is_some_and(|queue| queue.is_active(awaited.mark, awaited.whose))
    }

    fn is_waiting(&self, awaited: &Awaited) -> bool {
        let queue = self.queues.get(awaited.place);
        queue.is_some_and(|queue| queue.is_waiting(awaited.mark, awaited.whose))
    }

    /// The queues meant: one, or all of them.
    fn places(&self, queue: Option<usize>) -> impl Iterator<Item = usize> + use<> {
        match queue {
            Some(place) => place..place + 1,
            None => 0..self.queues.len(),
        }
    }
}

impl Group {
    pub(crate) fn new(queues: Vec<Queue>, engines: usize) -> Self {
        let arbiter = Arbiter::new(queues.iter().map(|queue| queue.config().priority));
        let state = State {
            queues,
            arbiter,
            running: false,
            idle: 0,
            called: 0,
        };
        Self {
            state: Mutex::new(state),
            work: Condvar::new(),
            ended: Condvar::new(),
            abandon: (0..engines).map(|_| AtomicBool::new(false)).collect(),
        }
    }

    /// The state stays whole even if a thread panics with the lock held: each
    /// change to it is made in one step.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn submit(
        &self,
        place: usize,
        client: &Client,
        portal: Portal,
        descriptor: &Descriptor,
    ) -> Result<(), SubmitError> {
        let mut state = self.lock();
        let queue = state
            .queues
            .get_mut(place)
            .ok_or(SubmitError::NoSuchQueue)?;
        queue.accept(place, client, portal, descriptor)?;
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
        place: usize,
        look: impl FnOnce(&mut Queue) -> T,
    ) -> Option<T> {
        self.lock().queues.get_mut(place).map(look)
    }

    /// Gives a queue another configuration.
    pub(crate) fn configure(&self, place: usize, config: QueueConfig) {
        let mut state = self.lock();
        state.arbiter.set_priority(place, config.priority);
        if let Some(queue) = state.queues.get_mut(place) {
            queue.set_config(config);
        }
    }

    /// The next descriptor for `engine`, slept for if there is none; `None` when
    /// the engines are to stop. Takes note that `ended`, the one before, has
    /// ended: one lock a descriptor.
    pub(crate) fn next(&self, engine: usize, ended: Option<Place>) -> Option<Job> {
        let mut state = self.lock();
        if ended.is_some_and(|place| state.finish(place)) {
            self.ended.notify_all();
        }
        while state.running {
            let State {
                queues, arbiter, ..
            } = &mut *state;
            let ready = |place: usize| queues.get(place).is_some_and(|queue| queue.occupancy() > 0);
            if let Some(place) = arbiter.pick(ready) {
                if let Some(flag) = self.abandon.get(engine) {
                    flag.store(false, Ordering::Relaxed);
                }
                return queues.get_mut(place).and_then(|queue| queue.start(engine));
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
    pub(crate) fn finish(&self, ended: Place) {
        if self.lock().finish(ended) {
            self.ended.notify_all();
        }
    }

    /// Whether `engine` is to give up what it executes.
    pub(crate) fn is_abandoned(&self, engine: usize) -> bool {
        self.abandon
            .get(engine)
            .is_some_and(|flag| flag.load(Ordering::Relaxed))
    }

    /// Waits until the descriptors before a drain descriptor have ended; they
    /// were all started before it. Ends early if the drain is abandoned.
    pub(crate) fn wait_before(&self, job: &Job, engine: usize) {
        let state = self.lock();
        let Some(queue) = state.queues.get(job.place) else {
            return;
        };
        let whose = queue.drained_with(job.client.pasid);
        let awaited = [Awaited {
            place: job.place,
            mark: job.sequence,
            whose,
        }];
        drop(self.wait(state, &awaited, |active, _| {
            active && !self.is_abandoned(engine)
        }));
    }

    /// Waits until every descriptor accepted so far has ended, of one queue (or
    /// all) and of the submitters meant.
    pub(crate) fn drain(&self, queue: Option<usize>, whose: Whose) -> Result<(), Stopped> {
        let state = self.lock();
        let mark = |place| state.queues.get(place).map_or(0, Queue::mark);
        let awaited: Vec<Awaited> = state
            .places(queue)
            .map(|place| Awaited {
                place,
                mark: mark(place),
                whose,
            })
            .collect();
        let state = self.wait(state, &awaited, |active, to_start| active || to_start);
        if awaited.iter().any(|one| state.is_waiting(one)) {
            Err(Stopped)
        } else {
            Ok(())
        }
    }

    /// Drops what is not started, makes engines give up what is, and waits
    /// until they have; says how many were dropped.
    pub(crate) fn abort(&self, queue: Option<usize>, whose: Whose) -> usize {
        let mut state = self.lock();
        let mut dropped = Vec::new();
        let mut awaited = Vec::new();
        for place in state.places(queue) {
            if let Some(queue) = state.queues.get_mut(place) {
                dropped.extend(queue.take_waiting(whose));
                awaited.push(Awaited {
                    place,
                    mark: queue.mark(),
                    whose,
                });
                for flag in queue
                    .engines(whose)
                    .filter_map(|engine| self.abandon.get(engine))
                {
                    flag.store(true, Ordering::Relaxed);
                }
            }
        }
        self.ended.notify_all();
        drop(self.wait(state, &awaited, |active, _| active));
        dropped.len()
    }

    /// Sleeps while `goes_on`, told whether something awaited is being executed
    /// and whether an engine will still start something awaited.
    fn wait<'a>(
        &self,
        mut state: MutexGuard<'a, State>,
        awaited: &[Awaited],
        goes_on: impl Fn(bool, bool) -> bool,
    ) -> MutexGuard<'a, State> {
        let asleep = |state: &State| {
            let active = awaited.iter().any(|one| state.is_active(one));
            let to_start = state.running && awaited.iter().any(|one| state.is_waiting(one));
            goes_on(active, to_start)
        };
        for one in awaited {
            if let Some(queue) = state.queues.get_mut(one.place) {
                queue.await_before(one.mark, one.whose);
            }
        }
        while asleep(&state) {
            state = self
                .ended
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        for one in awaited {
            if let Some(queue) = state.queues.get_mut(one.place) {
                queue.cease_waiting(one.mark, one.whose);
            }
        }
        state
    }

    /// Lets engines run, or makes them stop after the descriptor at hand.
    pub(crate) fn set_running(&self, running: bool) {
        self.lock().running = running;
        self.work.notify_all();
        self.ended.notify_all();
    }
}
