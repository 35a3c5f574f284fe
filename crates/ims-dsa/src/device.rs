// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A device: groups of queues and engines.
//!
//! [`Device`] controls: it starts and stops engines and adds queues.
//! [`WorkQueue`] and [`WorkQueues`] carry data: they are cloned to whoever submits.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use ims_vfio::Hold;

use crate::config::{ConfigError, DeviceConfig, check_queue};
use crate::engine::{Engine, Exit};
use crate::errors::ErrorLog;
use crate::group::{Group, Stopped};
use crate::interrupts::Interrupts;
use crate::limits::Capabilities;
use crate::number::{Number, Numbers};
use crate::queue::Queue;
use crate::queue_config::QueueConfig;
use crate::statistics::{EngineCounters, Statistics};
use crate::work_queue::WorkQueue;
use crate::work_queues::{Groups, WorkQueues};

/// Why a queue could not be changed, drained or aborted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QueueError {
    /// There is no such queue, or it has size 0.
    #[error("no such work queue; check the number against the device's configuration")]
    NoSuchQueue,
    /// It must be disabled for this.
    #[error("work queue enabled; disable it first")]
    Enabled,
    /// Descriptors wait in it.
    #[error("work queue not empty; start the engines and drain it, or abort it")]
    NotEmpty,
    /// The group and the presence of a queue are fixed when the device is made.
    #[error("group and use of a work queue are fixed; make a new device to change them")]
    Fixed,
    /// The new configuration is not valid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Nobody executes what would be waited for.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// The control half of a device.
///
/// It is made with its engines stopped and its queues disabled. Dropping it stops
/// its engines as [`stop`](Self::stop) does, and takes its queues away.
pub struct Device<I: Interrupts> {
    groups: Arc<Groups>,
    /// The number of each group, by its place among the groups.
    names: Vec<u32>,
    /// For each engine in use, its number and its group's place.
    engines: Vec<(u32, usize)>,
    /// For each engine in use, and for those that had to be left running.
    counters: Vec<Arc<EngineCounters>>,
    numbers: Arc<Numbers>,
    capabilities: Capabilities,
    interrupts: Arc<I>,
    threads: Vec<JoinHandle<()>>,
    exit: Exit,
}

impl<I: Interrupts> fmt::Debug for Device<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Device")
            .field("engines", &self.engines)
            .field("running", &!self.threads.is_empty())
            .finish_non_exhaustive()
    }
}

impl<I: Interrupts> Device<I> {
    /// Makes a device. The errors of the configuration's queues go to `errors`.
    ///
    /// # Errors
    /// [`ConfigError`] if it cannot be put together like this.
    pub fn new(
        config: &DeviceConfig,
        interrupts: Arc<I>,
        errors: Arc<dyn ErrorLog>,
    ) -> Result<Self, ConfigError> {
        config.check()?;
        let mut names: Vec<u32> = config.engines.iter().flatten().copied().collect();
        names.sort_unstable();
        names.dedup();
        let engines: Vec<(u32, usize)> = (0..)
            .zip(&config.engines)
            .filter_map(|(number, group)| {
                Some((number, names.binary_search(group.as_ref()?).ok()?))
            })
            .collect();
        let count = |group| engines.iter().filter(|(_, of)| *of == group).count();
        let groups: Vec<Arc<Group>> = (0..names.len())
            .map(|group| Arc::new(Group::new(count(group))))
            .collect();
        let first = u32::try_from(config.queues.len()).map_err(|_| ConfigError::TooMany)?;
        let numbers = Numbers::starting_at(first);
        let mut queues = Vec::with_capacity(config.queues.len());
        for (number, queue) in (0..).zip(&config.queues) {
            let group = names.binary_search(&queue.group).ok();
            let group = group.and_then(|group| groups.get(group));
            let group = group.filter(|_| queue.size > 0);
            let number = numbers.take(number);
            queues.push(group.map(|group| add(group, number, *queue, Arc::clone(&errors))));
        }
        Ok(Self {
            groups: Arc::new(Groups { groups, queues }),
            names,
            counters: Vec::new(),
            engines,
            numbers,
            capabilities: config.capabilities,
            interrupts,
            threads: Vec::new(),
            exit: Exit::default(),
        })
    }

    /// The queues of the configuration.
    pub fn queues(&self) -> WorkQueues {
        WorkQueues {
            groups: Arc::clone(&self.groups),
        }
    }

    /// Adds a queue, whether engines run or not; its errors go to `errors`. It is
    /// disabled. Numbers of queues that were removed are not used again soon.
    ///
    /// # Errors
    /// [`ConfigError`] if there is no such group, or the configuration is not valid.
    pub fn add_queue(
        &self,
        config: QueueConfig,
        errors: Arc<dyn ErrorLog>,
    ) -> Result<WorkQueue, ConfigError> {
        let number = self.numbers.next().ok_or(ConfigError::TooMany)?;
        let queue = number.get();
        if config.size == 0 {
            return Err(ConfigError::Size { queue });
        }
        check_queue(queue, &config)?;
        let group = self.names.binary_search(&config.group).ok();
        let group = group.and_then(|group| self.groups.groups.get(group));
        let group = group.ok_or(ConfigError::NoEngine {
            queue,
            group: config.group,
        })?;
        Ok(add(group, number, config, errors))
    }

    /// What the device did so far.
    pub fn statistics(&self) -> Statistics {
        Statistics::sum(self.counters.iter().map(|counters| &**counters))
    }

    /// Starts the engines; what waits in the queues is executed. Harmless if
    /// they run already.
    ///
    /// # Errors
    /// If a thread cannot be made; no engine runs then.
    pub fn start(&mut self) -> io::Result<()> {
        if !self.threads.is_empty() {
            return Ok(());
        }
        let runs: Vec<u64> = self.groups.groups.iter().map(|group| group.run()).collect();
        let mut free = self.free_counters().into_iter();
        for &(number, group) in &self.engines {
            let (Some(&run), Some(group), Some(counters)) =
                (runs.get(group), self.groups.groups.get(group), free.next())
            else {
                continue;
            };
            let engine = Engine {
                number,
                run,
                group: Arc::clone(group),
                interrupts: Arc::clone(&self.interrupts),
                counters,
                capabilities: self.capabilities,
            };
            match engine.spawn(Arc::clone(&self.exit)) {
                Ok(thread) => self.threads.push(thread),
                Err(error) => {
                    self.stop();
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Counters that no thread writes to, for each engine: counters have one writer.
    fn free_counters(&mut self) -> Vec<Arc<EngineCounters>> {
        // Nobody else has them, and what whoever had them counted is seen.
        let unused = |counters: &mut Arc<EngineCounters>| {
            let is_ours = Arc::get_mut(counters).is_some();
            is_ours.then(|| Arc::clone(counters))
        };
        let mut free: Vec<_> = self.counters.iter_mut().filter_map(unused).collect();
        while free.len() < self.engines.len() {
            let counters = Arc::<EngineCounters>::default();
            self.counters.push(Arc::clone(&counters));
            free.push(counters);
        }
        free
    }

    /// Stops the engines, each after the descriptor it executes, and waits for
    /// them. What was not started stays queued. A descriptor that waits for a page
    /// ends with the page fault.
    ///
    /// On an engine's own thread (a hold was dropped there, an interrupt raised) it
    /// does not wait: the engines end by themselves.
    pub fn stop(&mut self) {
        for group in &self.groups.groups {
            group.stop();
        }
        self.join();
    }

    /// Stops the engines, each after the descriptor at hand, without waiting, and
    /// takes the queues away with what waits in them. Each engine keeps a clone of
    /// `hold` until its thread does nothing more.
    ///
    /// To let everything end first, drain the queues; to have what is executed given
    /// up, abort them.
    pub fn retire(mut self, hold: Hold) {
        // Nobody sets it twice: the device is gone afterwards.
        drop(self.exit.set(hold));
        self.threads.clear();
    }

    fn join(&mut self) {
        let here = thread::current().id();
        if self
            .threads
            .iter()
            .any(|engine| engine.thread().id() == here)
        {
            self.threads.clear();
        }
        for thread in self.threads.drain(..) {
            // An engine ends by a panic only if an address space, a log or the
            // interrupts panicked in it; its descriptor is accounted for.
            drop(thread.join());
        }
    }

    /// Lets a queue take descriptors.
    ///
    /// # Errors
    /// [`QueueError::NoSuchQueue`].
    pub fn enable(&mut self, queue: u32) -> Result<(), QueueError> {
        self.queue(queue)?.enable();
        Ok(())
    }

    /// Makes a queue take nothing more, and waits until what it took has ended.
    ///
    /// # Errors
    /// As [`WorkQueues::drain_queue`]; the queue is disabled in any case.
    pub fn disable(&mut self, queue: u32) -> Result<(), QueueError> {
        self.queue(queue)?.disable();
        self.queues().drain_queue(queue)
    }

    /// Changes a disabled, empty queue: mode, sizes, priority, limits.
    ///
    /// # Errors
    /// [`QueueError`]; the queue is as it was.
    pub fn configure(&mut self, queue: u32, config: QueueConfig) -> Result<(), QueueError> {
        self.queue(queue)?.configure(config)
    }

    fn queue(&self, queue: u32) -> Result<WorkQueue, QueueError> {
        self.queues().get(queue).ok_or(QueueError::NoSuchQueue)
    }
}

/// Makes a queue of a group.
fn add(
    group: &Arc<Group>,
    number: Number,
    config: QueueConfig,
    errors: Arc<dyn ErrorLog>,
) -> WorkQueue {
    let value = number.get();
    WorkQueue {
        place: group.add(Queue::new(number, config, errors)),
        group: Arc::clone(group),
        number: value,
    }
}

impl<I: Interrupts> Drop for Device<I> {
    fn drop(&mut self) {
        for group in &self.groups.groups {
            group.close();
        }
        self.join();
    }
}

#[cfg(test)]
mod tests;
