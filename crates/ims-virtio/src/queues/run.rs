// SPDX-License-Identifier: Apache-2.0 OR MIT
//! From a start to the stop after it: what may touch the driver's memory, and the
//! hold that is let go when nothing does any more.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use ims_host::{HostError, Irq, Taken};
use ims_vfio::Hold;

use super::Work;
use super::chain::Chain;
use super::interrupts::BackingInterrupts;
use super::lane::Lane;
use super::pool::{Serve, Shared};
use super::ring::{Ring, RingError};
use crate::device::Setup;
use crate::layout::features::RING_EVENT_IDX;
use crate::memory::Memory;
use crate::notifier::Notifier;

/// How often a piece of work is tried in a new session before what fails in it is the
/// driver's fault: the session may have been ended, which looks the same.
pub(super) const RETRIES: u32 = 3;

/// What a worker has.
pub(crate) struct Worker<T> {
    pub(crate) tool: T,
    pub(crate) chain: Chain,
}

impl<T> From<T> for Worker<T> {
    fn from(tool: T) -> Self {
        Self {
            tool,
            chain: Chain::default(),
        }
    }
}

/// A run, whatever its memory is.
pub(crate) trait Running: Send + Sync {
    /// Somebody put something into `queue`.
    fn call(self: Arc<Self>, queue: u16);
    /// Nothing new begins; `hold` goes when what has begun has ended.
    fn stop(&self, hold: Hold);
    /// Takes it out of the workers' line.
    fn leave(self: Arc<Self>);
    /// The host-side interrupt of a queue that is in use.
    fn irq(&self, queue: u16) -> Option<&Irq>;
}

/// One start. It is gone when the last worker and the last handler have left it.
pub(crate) struct Run<M: Memory, W: Work> {
    pub(super) work: Arc<W>,
    pub(super) memory: M,
    pub(super) features: u64,
    pub(super) notifier: Notifier,
    pub(super) interrupts: BackingInterrupts,
    pool: Arc<Shared<Worker<W::Tool>>>,
    pub(super) longest: u16,
    pub(super) stopped: AtomicBool,
    // Their entries are given back when nobody can raise them any more.
    lanes: Vec<Option<Lane>>,
    // After all that it stands for.
    holds: Mutex<Vec<Hold>>,
}

impl<M: Memory, W: Work> Run<M, W> {
    pub(crate) fn new(
        work: Arc<W>,
        setup: Setup<M>,
        interrupts: BackingInterrupts,
        pool: Arc<Shared<Worker<W::Tool>>>,
        longest: u16,
    ) -> Arc<Self> {
        let event_idx = setup.features & RING_EVENT_IDX != 0;
        let queues = setup.queues.into_iter();
        let lanes = queues.map(|queue| Some(Lane::new(Ring::new(queue?, event_idx))));
        Arc::new(Self {
            work,
            memory: setup.memory,
            features: setup.features,
            notifier: setup.notifier,
            interrupts,
            pool,
            longest,
            stopped: AtomicBool::new(false),
            lanes: lanes.collect(),
            holds: Mutex::default(),
        })
    }

    /// Takes an entry for each queue.
    pub(crate) fn take_interrupts(self: &Arc<Self>) -> Result<(), HostError> {
        for (queue, lane) in self.in_use() {
            // An entry that is free keeps its handler until it is quiet.
            let run: Weak<Self> = Arc::downgrade(self);
            let handler = move |_: Taken| {
                if let Some(run) = run.upgrade() {
                    run.complete(queue);
                }
            };
            let irq = self.interrupts.take(queue, Arc::new(Box::new(handler)))?;
            // Once for each lane.
            let _ = lane.irq.set(irq);
        }
        Ok(())
    }

    fn in_use(&self) -> impl Iterator<Item = (u16, &Lane)> {
        let numbered = (0..=u16::MAX).zip(&self.lanes);
        numbered.filter_map(|(queue, lane)| Some((queue, lane.as_ref()?)))
    }

    pub(super) fn lane(&self, queue: u16) -> Option<&Lane> {
        self.lanes.get(usize::from(queue))?.as_ref()
    }

    /// Has all queues looked into.
    pub(crate) fn call_all(self: &Arc<Self>) {
        for (queue, _) in self.in_use() {
            Arc::clone(self).call(queue);
        }
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// Has the queue told where its interrupt points.
    pub(super) fn raise(&self, lane: &Lane) {
        if let Some(irq) = lane.irq.get() {
            self.interrupts.raise(irq.index());
        }
    }

    /// Nothing can be taken from a queue, or told, any more.
    pub(super) fn break_off(&self, queue: u16, lane: &Lane, error: RingError) {
        if lane.break_off() {
            tracing::debug!(queue, ?error, "a queue needs a reset");
            self.notifier.needs_reset();
        }
    }
}

impl<M: Memory, W: Work> Running for Run<M, W> {
    fn call(self: Arc<Self>, queue: u16) {
        if self.lane(queue).is_some_and(|lane| lane.turn.call()) {
            let pool = Arc::clone(&self.pool);
            pool.push(self, queue);
        }
    }

    fn stop(&self, hold: Hold) {
        self.holds
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(hold);
        self.stopped.store(true, Ordering::Release);
    }

    fn leave(self: Arc<Self>) {
        let pool = Arc::clone(&self.pool);
        let owner: Arc<dyn Serve<Worker<W::Tool>>> = self;
        pool.forget(&owner);
    }

    fn irq(&self, queue: u16) -> Option<&Irq> {
        self.lane(queue)?.irq.get()
    }
}
