// SPDX-License-Identifier: Apache-2.0 OR MIT
//! An engine: a thread that takes descriptors from its group and executes them.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ims_vfio::Hold;

use crate::cost;
use crate::execute::{Executor, Surroundings, Work};
use crate::group::{Ended, Group};
use crate::interrupts::Interrupts;
use crate::limits::Capabilities;
use crate::memory::AddressSpace;
use crate::queue::Job;
use crate::seat::Seat;
use crate::statistics::EngineCounters;

/// Dropped as the last thing each of a device's engines does. When the device is
/// retired a hold is put in, which goes with the last engine.
pub(crate) type Exit = Arc<OnceLock<Hold>>;

/// What an engine works with.
pub(crate) struct Engine<I> {
    /// Its number in the device, and which run of its group it is for.
    pub(crate) number: u32,
    pub(crate) run: u64,
    pub(crate) group: Arc<Group>,
    pub(crate) interrupts: Arc<I>,
    pub(crate) counters: Arc<EngineCounters>,
    pub(crate) capabilities: Capabilities,
}

impl<I: Interrupts> Engine<I> {
    /// Starts the engine's thread. It ends when the run does.
    pub(crate) fn spawn(self, exit: Exit) -> io::Result<JoinHandle<()>> {
        let name = format!("dsa-engine-{}", self.number);
        thread::Builder::new().name(name).spawn(move || {
            // Given up last, also when a panic goes by.
            let _exit = exit;
            self.run();
        })
    }

    fn run(self) {
        let mut executor = Executor {
            engine: self.number,
            interrupts: &*self.interrupts,
            raiser: self.interrupts.raiser(),
            counters: &self.counters.0,
            capabilities: self.capabilities,
        };
        let seat = Arc::new(Seat::default());
        let mut ended = None;
        while let Some(job) = self.group.next(&seat, self.run, ended.take()) {
            let mut taken = Taken {
                ended: Ended {
                    queue: job.place,
                    sequence: job.sequence,
                    paid: job.cost,
                    cost: job.cost,
                },
                group: &self.group,
                seat: &seat,
                run: self.run,
                blocked: AtomicBool::new(false),
                job: Some(job),
            };
            let before = self.counters.0.work();
            if let Some(job) = &taken.job {
                let work = Work {
                    descriptor: &job.descriptor,
                    client: &job.client,
                    portal: job.portal,
                    limits: job.limits,
                    errors: &*job.errors,
                    queue: job.queue,
                    batch_index: None,
                };
                executor.run(&work, &taken);
            }
            let after = self.counters.0.work();
            taken.ended.cost = cost::done(
                after.0.wrapping_sub(before.0),
                after.1.wrapping_sub(before.1),
            );
            // Its memory and its log first: who waits is told after that.
            drop(taken.job.take());
            ended = Some(taken.ended);
            std::mem::forget(taken);
        }
    }
}

/// A descriptor taken from its queue. If this goes by a panic, in an address
/// space or an interrupt that is not ours, the descriptor has ended too and
/// nobody waits for it any longer.
struct Taken<'a> {
    job: Option<Job>,
    ended: Ended,
    group: &'a Group,
    seat: &'a Seat,
    run: u64,
    /// It counts as waiting for a page.
    blocked: AtomicBool,
}

impl Surroundings for Taken<'_> {
    fn wait_before(&self) {
        if let Some(job) = &self.job {
            self.group.wait_before(job, self.seat);
        }
    }

    fn is_abandoned(&self) -> bool {
        let memory = self.job.as_ref().map(|job| &*job.client.memory);
        self.seat.is_abandoned() || memory.is_some_and(AddressSpace::is_ended)
    }

    fn may_wait(&self, so_far: Duration, slice: Duration) -> bool {
        let place = self.ended.queue;
        let may = self.group.may_wait(place, self.run, so_far, slice);
        if may {
            self.blocked.store(true, Ordering::Relaxed);
        }
        may
    }

    fn waited(&self) {
        if self.blocked.swap(false, Ordering::Relaxed) {
            self.group.waited();
        }
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.waited();
        drop(self.job.take());
        self.group.finish(self.ended);
    }
}
