// SPDX-License-Identifier: Apache-2.0 OR MIT
//! CMD and CMDSTATUS (9.2.12, 9.2.13): one command at a time, which ends when what
//! it waits for has.

use std::sync::{Arc, Weak};

use ims_vfio::Hold;

use super::Front;
use super::capabilities::has_command;
use super::in_flight::InFlight;
use super::software_error::Entry;
use super::state::State;
use crate::client::Pasid;
use crate::layout::command::{Command, CommandError, CommandRegister, CommandStatus};
use crate::layout::event::device_error;
use crate::layout::registers::cause;

/// A command that has begun. Whoever has it ends it.
#[derive(Debug)]
pub(super) struct Active {
    number: u64,
    interrupt: bool,
    in_flight: Arc<InFlight>,
}

impl Active {
    /// What of it goes on.
    pub(super) fn in_flight(&self) -> &Arc<InFlight> {
        &self.in_flight
    }

    /// It is stale; what it began is still to be ended.
    pub(super) fn into_in_flight(self) -> Arc<InFlight> {
        self.in_flight
    }
}

/// How a command ended: with a result, or an error.
pub(super) type Outcome = Result<u16, CommandError>;

impl State {
    /// Whether no reset came in between.
    pub(super) fn is_current(&self, active: &Active) -> bool {
        self.command_number == active.number
    }
}

impl Front {
    /// CMD was written.
    pub(super) fn command(&self, register: CommandRegister) {
        let Some(active) = self.begin_command(register.interrupt()) else {
            self.device_error(Entry::device(device_error::COMMAND_REGISTER));
            return;
        };
        let operand = register.operand();
        let command = Command::from_code(register.command())
            .filter(|command| has_command(&self.parameters, *command));
        let Some(command) = command else {
            return self.end_command(active, Err(CommandError::InvalidCommand));
        };
        match command {
            Command::EnableDevice => self.enable_device(active),
            Command::DisableDevice => self.disable_device(active),
            Command::ResetDevice => self.reset_device(active),
            Command::DrainAll => self.wait_for_all(active, |queue, hold| queue.drain(hold)),
            Command::AbortAll => self.wait_for_all(active, |queue, hold| {
                queue.abort(hold);
            }),
            Command::DrainPasid => self.wait_for_all(active, |queue, hold| {
                if let Some(pasid) = Pasid::new(operand) {
                    queue.drain_pasid(pasid, hold);
                }
            }),
            Command::AbortPasid => self.wait_for_all(active, |queue, hold| {
                if let Some(pasid) = Pasid::new(operand) {
                    queue.abort_pasid(pasid, hold);
                }
            }),
            Command::EnableQueue => self.enable_queue(active, operand),
            Command::DisableQueue => self.disable_queues(active, operand),
            Command::DrainQueue => self.drain_queues(active, operand),
            Command::AbortQueue => self.abort_queues(active, operand),
            Command::ResetQueue => self.reset_queues(active, operand),
            Command::RequestHandle => self.request_handle(active, operand),
            Command::ReleaseHandle => self.release_handle(active, operand),
        }
    }

    fn begin_command(&self, interrupt: bool) -> Option<Active> {
        let mut state = self.lock();
        if state.command.active() {
            return None;
        }
        state.command = CommandStatus::new().with_active(true);
        state.command_number += 1;
        Some(Active {
            number: state.command_number,
            interrupt,
            in_flight: state.in_flight.begin(),
        })
    }

    /// The command has ended.
    pub(super) fn end_command(&self, active: Active, outcome: Outcome) {
        // A stale one has nothing to tell.
        drop(self.end_command_with(active, outcome, |_| ()));
    }

    /// The command has ended, and `change` is made at the same moment.
    ///
    /// # Errors
    /// It is stale: nothing was changed or told.
    pub(super) fn end_command_with<T>(
        &self,
        active: Active,
        outcome: Outcome,
        change: impl FnOnce(&mut State) -> T,
    ) -> Result<T, Active> {
        let (changed, interrupt) = {
            let mut state = self.lock();
            if !state.is_current(&active) {
                drop(state);
                return Err(active);
            }
            let changed = change(&mut state);
            state.command = match outcome {
                Ok(result) => CommandStatus::new().with_result(result),
                Err(error) => CommandStatus::new().with_error(error.code()),
            };
            let interrupt = active.interrupt && state.causes.add(cause::COMMAND);
            (changed, interrupt)
        };
        self.interrupt_if(interrupt);
        Ok(changed)
    }

    /// A hold that goes on here when all have let go of it, unless the front is gone.
    pub(super) fn when_gone(&self, then: impl FnOnce(&Self) + Send + Sync + 'static) -> Hold {
        let this = Weak::clone(&self.this);
        Hold::new(move || {
            if let Some(front) = this.upgrade() {
                then(&front);
            }
        })
    }
}
