// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Queues that run: how a device's chains are worked on, and the driver told.
//!
//! ```text
//!   notify(n) ──▶ Turn ──▶ Pool ── a worker takes chains of queue n, one at a time
//!                                    │ Work: the device's own part, in a Session
//!                                    ▼
//!                                  done(n) ── raise ──▶ IMS entry n
//!                                                         │ soft CPU n mod CPUs
//!                        Notifier::used(n) ◀── used ring ◀┘
//! ```
//!
//! A queue has one worker at a time, and a worker goes on to the next queue after a
//! burst. What is done is told through an interrupt of the host's own, so that
//! queues are completed where their entries point, not where a worker happens to run.
//!
//! While memory cannot be entered, work and completions are put off: the queue is
//! tried again each [`RETRY`](pool::RETRY), and at its place in the available ring.
//!
//! A [`Hold`] given to stop is dropped after the last worker and the last handler
//! have left, and after the entries are given back.

mod chain;
mod interrupts;
mod lane;
mod pool;
mod ring;
mod run;
mod serve;
mod tell;
#[cfg(all(test, not(loom)))]
pub(crate) mod testing;
mod turn;

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard, Weak};

use ims::domain::{Affinity, Location, Moved};
use ims_host::{HostError, IrqCounts};
use ims_vfio::Hold;
use vm_memory::GuestMemory;

use crate::device::{Setup, StartError};
use crate::memory::Memory;

pub(crate) use chain::{Chain, Spans, Unreachable};
pub use interrupts::BackingInterrupts;
use pool::Pool;
use run::{Run, Running, Worker};

/// What a device does with a chain.
pub(crate) trait Work: Send + Sync + 'static {
    /// What each worker has of its own.
    type Tool: Send + 'static;

    /// Does what `chain` asks. Called on a worker, for several queues at a time.
    ///
    /// It may be called again with the same chain if memory went away meanwhile.
    fn work<G: GuestMemory>(
        &self,
        tool: &mut Self::Tool,
        job: Job<'_>,
        memory: &G,
        chain: &Chain,
    ) -> Outcome;
}

/// What a worker knows of the start that a chain belongs to.
#[derive(Clone, Copy)]
pub(crate) struct Job<'a> {
    pub(crate) features: u64,
    stopped: &'a AtomicBool,
}

impl Job<'_> {
    /// Whether the device was stopped: nobody waits for the outcome.
    pub(crate) fn is_over(self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }
}

/// What became of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Bytes written, from the first writable one on and without a hole.
    pub(crate) written: u32,
    /// Whether some of its memory could not be used. That may be the driver's
    /// fault, or mean that the session was ended.
    pub(crate) unreachable: bool,
}

/// The queues of one device.
pub(crate) struct Queues<W: Work> {
    work: Arc<W>,
    interrupts: BackingInterrupts,
    pool: Pool<Worker<W::Tool>>,
    run: RwLock<Current>,
}

/// What runs, and what ran before and may not have ended yet.
#[derive(Default)]
struct Current {
    run: Option<Arc<dyn Running>>,
    before: Option<Weak<dyn Running>>,
}

impl<W: Work> Queues<W> {
    /// Queues at rest, with a worker for each of `tools`.
    pub(crate) fn new(
        name: &str,
        work: W,
        tools: Vec<W::Tool>,
        interrupts: BackingInterrupts,
    ) -> io::Result<Self> {
        Ok(Self {
            work: Arc::new(work),
            interrupts,
            pool: Pool::new(name, tools.into_iter().map(Worker::from).collect())?,
            run: RwLock::default(),
        })
    }

    /// Starts with what the driver has set up; at most `longest` descriptors a chain.
    pub(crate) fn start<M: Memory>(&self, setup: Setup<M>, longest: u16) -> Result<(), StartError> {
        // A transport stops before it starts again.
        self.stop(Hold::nobody());
        let run = Run::new(
            Arc::clone(&self.work),
            setup,
            self.interrupts.clone(),
            self.pool.shared(),
            longest,
        );
        run.take_interrupts()
            .map_err(|error| StartError::Backing(io::Error::other(error)))?;
        self.current().run = Some(Arc::clone(&run) as Arc<dyn Running>);
        // What was put in before the start has been notified of too early, or never.
        run.call_all();
        Ok(())
    }

    fn current(&self) -> RwLockWriteGuard<'_, Current> {
        self.run.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn running(&self) -> Option<Arc<dyn Running>> {
        let current = self.run.read().unwrap_or_else(PoisonError::into_inner);
        current.run.clone()
    }

    pub(crate) fn notify(&self, queue: u16) {
        if let Some(run) = self.running() {
            run.call(queue);
        }
    }

    pub(crate) fn stop(&self, hold: Hold) {
        let mut current = self.current();
        let Some(run) = current.run.take() else {
            let before = current.before.as_ref().and_then(Weak::upgrade);
            drop(current);
            // Stopped twice: the second waits for the same.
            if let Some(before) = before {
                before.stop(hold);
            }
            return;
        };
        current.before = Some(Arc::downgrade(&run));
        drop(current);
        run.stop(hold);
        run.leave();
    }

    /// Where the host-side interrupt of `queue` goes, and what happened to it.
    /// `None` for a queue that does not run.
    pub(crate) fn interrupt(&self, queue: u16) -> Option<(Location, IrqCounts)> {
        let run = self.running()?;
        let irq = run.irq(queue)?;
        Some((irq.location().ok()?, self.interrupts.counts(irq)))
    }

    /// Moves the host-side interrupt of `queue`; `None` if it does not run.
    pub(crate) fn set_affinity(
        &self,
        queue: u16,
        affinity: &Affinity,
    ) -> Option<Result<Moved, HostError>> {
        let run = self.running()?;
        Some(run.irq(queue)?.set_affinity(affinity))
    }
}

impl<W: Work> Drop for Queues<W> {
    fn drop(&mut self) {
        self.stop(Hold::nobody());
    }
}
