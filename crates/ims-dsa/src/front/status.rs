// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The state of a front, for people.

use super::Front;
use super::configuration::word;
use crate::layout::registers::{DeviceState, ResetNeeded};
use crate::layout::tables::queue;

/// What a front is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FrontStatus {
    /// GENSTS.
    pub device: DeviceState,
    /// What leads out of [`DeviceState::Halted`].
    pub reset_needed: ResetNeeded,
    /// A command has not ended.
    pub command_active: bool,
    /// Errors since it was made, whether software saw them or not.
    pub errors: u64,
    /// All queues, by number.
    pub queues: Vec<QueueStatus>,
}

/// What a queue is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueStatus {
    /// It takes descriptors, or has taken some and is not yet disabled.
    pub enabled: bool,
    /// Entries it is configured with.
    pub size: u32,
    /// Descriptors that wait in it.
    pub occupancy: usize,
    /// Descriptors taken since the front was made.
    pub submitted: u64,
    /// Descriptors refused since: it was full or disabled, or memory was not to be
    /// touched.
    pub refused: u64,
}

impl Front {
    pub(super) fn status_now(&self) -> FrontStatus {
        let (mut status, engines) = {
            let state = self.lock();
            let configured = state.configuration.queues();
            let queues = state.queues.iter().zip(configured);
            let queues = queues.map(|(at, words)| QueueStatus {
                enabled: at.enabled.is_some(),
                size: word(words, queue::SIZE),
                occupancy: 0,
                submitted: 0,
                refused: 0,
            });
            let status = FrontStatus {
                device: state.device,
                reset_needed: state.reset_needed,
                command_active: state.command.active(),
                errors: state.errors,
                queues: queues.collect(),
            };
            let engines = state.queues.iter().map(|at| at.enabled.clone());
            (status, engines.collect::<Vec<_>>())
        };
        for (number, (queue, engines)) in (0..).zip(status.queues.iter_mut().zip(engines)) {
            queue.occupancy = engines.map_or(0, |queue| queue.occupancy());
            (queue.submitted, queue.refused) = self.portals.counts(number);
        }
        status
    }
}
