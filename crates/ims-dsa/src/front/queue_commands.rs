// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Commands about queues: enable one; disable, drain, abort or reset some.

use ims_vfio::Hold;

use super::Front;
use super::check;
use super::command::Active;
use super::configuration::quad;
use super::portals::{Door, Submitter};
use super::state::State;
use crate::layout::command::{CommandError, QueueMask};
use crate::layout::registers::DeviceState;
use crate::queue_config::{Mode, QueueConfig};
use crate::work_queue::WorkQueue;

impl Front {
    /// Enable Queue.
    pub(super) fn enable_queue(&self, active: Active, operand: u32) {
        let number = u8::try_from(operand).unwrap_or(u8::MAX);
        let checked = self.check_queue(&self.lock(), number);
        match checked.and_then(|config| self.open_queue(number, config)) {
            Ok(door) => {
                let queue = door.queue.clone();
                let enabled = self.end_command_with(active, Ok(0), |state| {
                    let at = state.queues.get_mut(usize::from(number));
                    if let Some(at) = at.filter(|_| state.device == DeviceState::Enabled) {
                        at.enabled = Some(door.queue.clone());
                        self.portals.open(number, door);
                        return true;
                    }
                    false
                });
                // A halt or a reset came between; it did not know of the queue.
                if !matches!(enabled, Ok(true)) {
                    queue.disable();
                }
            }
            Err(error) => self.end_command(active, Err(error)),
        }
    }

    fn check_queue(&self, state: &State, number: u8) -> Result<QueueConfig, CommandError> {
        let words = state
            .configuration
            .queues()
            .get(usize::from(number))
            .ok_or(CommandError::InvalidQueue)?;
        if state.device != DeviceState::Enabled {
            return Err(CommandError::DeviceNotEnabled);
        }
        if state.queue(number.into()).is_some() {
            return Err(CommandError::QueueEnabled);
        }
        let (offset, bit) = (u64::from(number) / 64 * 8, number % 64);
        let group = (0u32..)
            .zip(state.configuration.groups())
            .find(|(_, group)| quad(group, offset) >> bit & 1 != 0)
            .map_or(0, |(group, _)| group);
        check::queue(&self.parameters, words, group)
    }

    /// Sets the engines' queue up and lets it take descriptors.
    fn open_queue(&self, number: u8, mut config: QueueConfig) -> Result<Door, CommandError> {
        let queue = self
            .machine
            .queue(number.into())
            .ok_or(CommandError::Hardware)?;
        let submitter = match &mut config.mode {
            Mode::Dedicated { owner } => {
                *owner = self.machine.submitter(*owner);
                Submitter::Known(*owner)
            }
            Mode::Shared => Submitter::InDescriptor,
        };
        // Where software may not configure, the machine has.
        if self.parameters.configurable {
            queue.configure(config).map_err(|error| {
                tracing::warn!(queue = number, %error, "the engines refuse a work queue");
                CommandError::Hardware
            })?;
        }
        queue.enable();
        Ok(Door { queue, submitter })
    }

    /// Disable Queue: those of the mask take nothing more, and end.
    pub(super) fn disable_queues(&self, active: Active, operand: u32) {
        self.close_queues(active, operand, WorkQueue::drain, |_, _| ());
    }

    /// Reset Queue: those of the mask are given up, and are configured as after
    /// power-on.
    pub(super) fn reset_queues(&self, active: Active, operand: u32) {
        let abort = |queue: &WorkQueue, hold| {
            queue.abort(hold);
        };
        self.close_queues(active, operand, abort, |state, number| {
            state.configuration.reset_queue(number);
        });
    }

    /// Drain Queue.
    pub(super) fn drain_queues(&self, active: Active, operand: u32) {
        self.wait_for_queues(active, operand, WorkQueue::drain);
    }

    /// Abort Queue.
    pub(super) fn abort_queues(&self, active: Active, operand: u32) {
        self.wait_for_queues(active, operand, |queue, hold| {
            queue.abort(hold);
        });
    }

    fn wait_for_queues(&self, active: Active, operand: u32, ask: impl Fn(&WorkQueue, Hold)) {
        let named = self.named_queues(&self.lock(), operand);
        match named {
            Ok(queues) => {
                let hold = self.when_gone(move |front| front.end_command(active, Ok(0)));
                for (_, queue) in queues {
                    ask(&queue, hold.clone());
                }
            }
            Err(error) => self.end_command(active, Err(error)),
        }
    }

    fn close_queues(
        &self,
        active: Active,
        operand: u32,
        ask: impl Fn(&WorkQueue, Hold),
        closed: impl Fn(&mut State, u8) + Send + Sync + 'static,
    ) {
        let named = {
            let state = self.lock();
            let named = self.named_queues(&state, operand);
            for (number, _) in named.iter().flatten() {
                self.portals.close(*number);
            }
            named
        };
        let queues = match named {
            Ok(queues) => queues,
            Err(error) => return self.end_command(active, Err(error)),
        };
        let numbers: Vec<u8> = queues.iter().map(|(number, _)| *number).collect();
        let hold = self.when_gone(move |front| {
            drop(front.end_command_with(active, Ok(0), |state| {
                let mut taken = Vec::new();
                for number in numbers {
                    if let Some(queue) = state.queues.get_mut(usize::from(number)) {
                        taken.extend(queue.enabled.take());
                    }
                    closed(state, number);
                }
                taken
            }));
        });
        for (_, queue) in queues {
            queue.disable();
            ask(&queue, hold.clone());
        }
    }

    /// The queues of a [`QueueMask`], all of which must be enabled.
    fn named_queues(
        &self,
        state: &State,
        operand: u32,
    ) -> Result<Vec<(u8, WorkQueue)>, CommandError> {
        let operand = QueueMask::from_bits(operand);
        let first = operand.block() * 16;
        let named = (0u8..16).filter(|bit| operand.mask() >> bit & 1 != 0);
        let numbers: Vec<u8> = named.map(|bit| first + bit).collect();
        if numbers
            .iter()
            .any(|number| *number >= self.parameters.queues)
        {
            return Err(CommandError::InvalidQueue);
        }
        if state.device != DeviceState::Enabled {
            return Err(CommandError::QueueNotEnabled);
        }
        let queue = |number: u8| {
            let queue = state.queue(number.into())?;
            Some((number, queue.clone()))
        };
        numbers
            .into_iter()
            .map(|number| queue(number).ok_or(CommandError::QueueNotEnabled))
            .collect()
    }
}
