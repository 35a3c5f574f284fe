// SPDX-License-Identifier: Apache-2.0 OR MIT
//! An engine: a thread that takes descriptors from its group and executes them.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crate::errors::ErrorLog;
use crate::execute::{Executor, Surroundings, Work};
use crate::group::{Group, Place};
use crate::interrupts::Interrupts;
use crate::limits::Capabilities;
use crate::queue::Job;
use crate::statistics::EngineCounters;

/// What an engine works with.
pub(crate) struct Engine<I> {
    /// Its number in the device, and its place in the group.
    pub(crate) number: u32,
    pub(crate) place: usize,
    pub(crate) group: Arc<Group>,
    pub(crate) interrupts: Arc<I>,
    pub(crate) errors: Arc<dyn ErrorLog>,
    pub(crate) counters: Arc<EngineCounters>,
    pub(crate) capabilities: Capabilities,
}

impl<I: Interrupts> Engine<I> {
    /// Starts the engine's thread. It ends when the group stops running.
    pub(crate) fn spawn(self) -> io::Result<JoinHandle<()>> {
        let name = format!("dsa-engine-{}", self.number);
        thread::Builder::new().name(name).spawn(move || self.run())
    }

    fn run(self) {
        let mut executor = Executor {
            engine: self.number,
            interrupts: &*self.interrupts,
            raiser: self.interrupts.raiser(),
            errors: &*self.errors,
            counters: &self.counters.0,
            capabilities: self.capabilities,
        };
        let mut ended = None;
        while let Some(job) = self.group.next(self.place, ended.take()) {
            let taken = Taken {
                group: &self.group,
                job: &job,
                engine: self.place,
            };
            let work = Work {
                descriptor: &job.descriptor,
                client: &job.client,
                portal: job.portal,
                limits: job.limits,
                queue: job.queue,
                batch_index: None,
            };
            executor.run(&work, &taken);
            ended = Some(taken.place());
            std::mem::forget(taken);
        }
    }
}

/// A descriptor taken from its queue. If this goes by a panic, in an address
/// space or an interrupt that is not ours, the descriptor has ended too and
/// nobody waits for it any longer.
struct Taken<'a> {
    group: &'a Group,
    job: &'a Job,
    engine: usize,
}

impl Taken<'_> {
    fn place(&self) -> Place {
        Place {
            queue: self.job.place,
            sequence: self.job.sequence,
        }
    }
}

impl Surroundings for Taken<'_> {
    fn wait_before(&self) {
        self.group.wait_before(self.job, self.engine);
    }

    fn is_abandoned(&self) -> bool {
        self.group.is_abandoned(self.engine)
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.group.finish(self.place());
    }
}
