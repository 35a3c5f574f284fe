// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A device: groups of queues and engines.
//!
//! [`Device`] controls: it starts and stops engines and enables queues.
//! [`WorkQueues`] carries data: it is cloned to whoever submits.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use crate::config::{ConfigError, DeviceConfig, check_queue};
use crate::engine::Engine;
use crate::errors::ErrorLog;
use crate::group::{Group, Stopped};
use crate::interrupts::Interrupts;
use crate::limits::Capabilities;
use crate::queue::{Queue, QueueConfig};
use crate::statistics::{EngineCounters, Statistics};
use crate::work_queues::{Groups, Place, WorkQueues};

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

/// The control half of a device. Dropping it stops its engines.
///
/// It is made with its engines stopped and its queues disabled.
pub struct Device<I: Interrupts> {
    groups: Arc<Groups>,
    /// For each engine in use, its number and its group.
    engines: Vec<(u32, usize)>,
    counters: Vec<Arc<EngineCounters>>,
    capabilities: Capabilities,
    interrupts: Arc<I>,
    errors: Arc<dyn ErrorLog>,
    threads: Vec<JoinHandle<()>>,
}

impl<I: Interrupts> fmt::Debug for Device<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Device")
            .field("groups", &self.groups)
            .field("engines", &self.engines)
            .field("running", &!self.threads.is_empty())
            .finish_non_exhaustive()
    }
}

impl<I: Interrupts> Device<I> {
    /// Makes a device.
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
        let mut queues: Vec<Vec<Queue>> = names.iter().map(|_| Vec::new()).collect();
        let mut places = Vec::with_capacity(config.queues.len());
        for (number, queue) in (0..).zip(&config.queues) {
            let group = names
                .binary_search(&queue.group)
                .ok()
                .filter(|_| queue.size > 0);
            places.push(group.and_then(|group| {
                let members = queues.get_mut(group)?;
                members.push(Queue::new(number, *queue));
                Some(Place {
                    group,
                    queue: members.len() - 1,
                })
            }));
        }
        let engines: Vec<(u32, usize)> = (0..)
            .zip(&config.engines)
            .filter_map(|(number, group)| {
                Some((number, names.binary_search(group.as_ref()?).ok()?))
            })
            .collect();
        let count = |group| engines.iter().filter(|(_, of)| *of == group).count();
        let groups = queues
            .into_iter()
            .enumerate()
            .map(|(group, queues)| Arc::new(Group::new(queues, count(group))))
            .collect();
        Ok(Self {
            counters: engines.iter().map(|_| Arc::default()).collect(),
            groups: Arc::new(Groups { groups, places }),
            engines,
            capabilities: config.capabilities,
            interrupts,
            errors,
            threads: Vec::new(),
        })
    }

    /// The data half.
    pub fn queues(&self) -> WorkQueues {
        WorkQueues {
            groups: Arc::clone(&self.groups),
        }
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
        for group in &self.groups.groups {
            group.set_running(true);
        }
        let mut started = vec![0; self.groups.groups.len()];
        for (&(number, group), counters) in self.engines.iter().zip(&self.counters) {
            let (Some(place), Some(group)) =
                (started.get_mut(group), self.groups.groups.get(group))
            else {
                continue;
            };
            let engine = Engine {
                number,
                place: *place,
                group: Arc::clone(group),
                interrupts: Arc::clone(&self.interrupts),
                errors: Arc::clone(&self.errors),
                counters: Arc::clone(counters),
                capabilities: self.capabilities,
            };
            *place += 1;
            match engine.spawn() {
                Ok(thread) => self.threads.push(thread),
                Err(error) => {
                    self.stop();
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Stops the engines, each after the descriptor it executes, and waits for
    /// them. What was not started stays queued.
    pub fn stop(&mut self) {
        for group in &self.groups.groups {
            group.set_running(false);
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
        self.with_queue(queue, |queue| queue.set_enabled(true))
    }

    /// Makes a queue take nothing more, and waits until what it took has ended.
    ///
    /// # Errors
    /// As [`WorkQueues::drain_queue`]; the queue is disabled in any case.
    pub fn disable(&mut self, queue: u32) -> Result<(), QueueError> {
        self.with_queue(queue, |queue| queue.set_enabled(false))?;
        self.queues().drain_queue(queue)
    }

    /// Changes a disabled, empty queue: mode, sizes, priority, limits.
    ///
    /// # Errors
    /// [`QueueError`]; the queue is as it was.
    pub fn configure(&mut self, queue: u32, config: QueueConfig) -> Result<(), QueueError> {
        check_queue(queue, &config)?;
        self.with_queue(queue, |queue| {
            if queue.is_enabled() {
                Err(QueueError::Enabled)
            } else if queue.occupancy() > 0 {
                Err(QueueError::NotEmpty)
            } else if queue.config().group != config.group || config.size == 0 {
                Err(QueueError::Fixed)
            } else {
                Ok(())
            }
        })??;
        let (group, place) = self.groups.find(queue).ok_or(QueueError::NoSuchQueue)?;
        group.configure(place, config);
        Ok(())
    }

    fn with_queue<T>(
        &self,
        queue: u32,
        change: impl FnOnce(&mut Queue) -> T,
    ) -> Result<T, QueueError> {
        let (group, place) = self.groups.find(queue).ok_or(QueueError::NoSuchQueue)?;
        group
            .with_queue(place, change)
            .ok_or(QueueError::NoSuchQueue)
    }
}

impl<I: Interrupts> Drop for Device<I> {
    fn drop(&mut self) {
        self.stop();
    }
}

#[cfg(test)]
mod tests;
