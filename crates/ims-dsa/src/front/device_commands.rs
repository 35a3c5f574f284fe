// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Commands about the whole device: enable, disable, reset, drain, abort.

use std::sync::Arc;

use ims_vfio::Hold;

use super::Front;
use super::check;
use super::command::Active;
use super::in_flight::ride;
use super::state::State;
use crate::config::DeviceConfig;
use crate::layout::command::CommandError;
use crate::layout::registers::{DeviceState, ResetNeeded};
use crate::work_queue::WorkQueue;

impl Front {
    /// Enable Device, when all that a reset left behind has ended.
    pub(super) fn enable_device(&self, active: Active) {
        let own = Arc::as_ptr(active.in_flight());
        let mut earlier = self.lock().in_flight.all();
        earlier.retain(|one| Arc::as_ptr(one) != own);
        let hold = self.when_gone(move |front| front.start_device(active));
        ride(earlier, &hold);
    }

    fn start_device(&self, active: Active) {
        let bus_mastering = self.machine.bus_mastering();
        let checked = {
            let mut state = self.lock();
            if !state.is_current(&active) {
                drop(state);
                return;
            }
            self.check_device(&state, bus_mastering)
                .map(|config| (config, state.begin_run()))
        };
        let started = checked.and_then(|(config, run)| self.machine.start(&config, self.log(run)));
        if let Err(error) = started {
            return self.end_command(active, Err(error));
        }
        let ended = self.end_command_with(active, Ok(0), |state| {
            state.device = DeviceState::Enabled;
            state.event_log.start();
        });
        match ended {
            // It may have gone off since it was asked for.
            Ok(()) if self.machine.bus_mastering() => {}
            Ok(()) => self.bus_master_off(),
            // A reset came between: what it stopped was not yet this.
            Err(stale) => {
                let in_flight = stale.into_in_flight();
                self.machine.stop(Hold::new(move || drop(in_flight)));
            }
        }
    }

    fn check_device(
        &self,
        state: &State,
        bus_mastering: bool,
    ) -> Result<DeviceConfig, CommandError> {
        if !state.is_disabled() {
            return Err(CommandError::DeviceEnabled);
        }
        if !bus_mastering {
            return Err(CommandError::BusMaster);
        }
        if state.general.event_log() {
            if !state.event_log.is_configured() {
                return Err(CommandError::Configuration);
            }
            if state.event_log.has_pasid() && !self.parameters.pasids {
                return Err(CommandError::Pasid);
            }
        }
        check::device(
            &self.parameters,
            state.configuration.groups(),
            state.configuration.queues(),
            state.general.read_buffer_limit(),
        )
    }

    /// Disable Device: nothing more is taken, all that was ends, then the engines.
    pub(super) fn disable_device(&self, active: Active) {
        let queues = {
            let mut state = self.lock();
            if state.device == DeviceState::Enabled {
                state.device = DeviceState::Draining;
                self.portals.close_all();
                Some(state.enabled_queues())
            } else {
                None
            }
        };
        let Some(queues) = queues else {
            return self.end_command(active, Err(CommandError::NotEnabled));
        };
        let drained = self.when_gone(move |front| front.stop_device(active));
        for queue in queues {
            queue.disable();
            queue.drain(drained.clone());
        }
    }

    fn stop_device(&self, active: Active) {
        if !self.lock().is_current(&active) {
            return;
        }
        self.machine.stop(self.when_gone(move |front| {
            // The queues are dropped without the lock.
            drop(front.end_command_with(active, Ok(0), |state| {
                if state.device == DeviceState::Draining {
                    state.device = DeviceState::Disabled;
                    state.begin_run();
                }
                state.take_queues()
            }));
        }));
    }

    /// Reset Device: all is given up, and configuration is as after power-on.
    pub(super) fn reset_device(&self, active: Active) {
        let resettable = {
            let mut state = self.lock();
            let resettable = state.is_resettable();
            if resettable {
                if state.device == DeviceState::Enabled {
                    state.device = DeviceState::Draining;
                }
                state.begin_run();
                self.portals.close_all();
            }
            resettable
        };
        if !resettable {
            return self.end_command(active, Err(CommandError::Hardware));
        }
        self.machine.stop(self.when_gone(move |front| {
            if !front.lock().is_current(&active) {
                return;
            }
            front.machine.reset();
            let outcome = if front.lock().is_resettable() {
                Ok(0)
            } else {
                // It halted meanwhile.
                Err(CommandError::Hardware)
            };
            drop(front.end_command_with(active, outcome, |state| {
                if state.is_resettable() {
                    state.set_defaults();
                }
                state.take_queues()
            }));
        }));
    }

    /// Drain All, Abort All, and those of a PASID: `ask` asks one queue.
    pub(super) fn wait_for_all(&self, active: Active, ask: impl Fn(&WorkQueue, Hold)) {
        let queues = {
            let state = self.lock();
            let enabled = state.device == DeviceState::Enabled;
            enabled.then(|| state.enabled_queues())
        };
        let Some(queues) = queues else {
            return self.end_command(active, Err(CommandError::QueueNotEnabled));
        };
        let hold = self.when_gone(move |front| front.end_command(active, Ok(0)));
        for queue in queues {
            ask(&queue, hold.clone());
        }
    }
}

impl State {
    /// Whether Reset Device is enough.
    fn is_resettable(&self) -> bool {
        self.device != DeviceState::Halted || self.reset_needed == ResetNeeded::Software
    }
}
