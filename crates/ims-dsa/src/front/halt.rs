// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The device stops by an error, or by a reset of the function.

use ims_vfio::Hold;

use super::Front;
use super::in_flight::ride;
use super::software_error::Entry;
use crate::layout::command::CommandStatus;
use crate::layout::event::device_error;
use crate::layout::registers::{DeviceState, ResetNeeded, cause};

impl Front {
    /// Takes nothing more at once, and interrupts when engines have let go.
    pub(super) fn halt_by_bus_master(&self) {
        let (in_flight, queues, interrupt) = {
            let mut state = self.lock();
            if !matches!(state.device, DeviceState::Enabled | DeviceState::Draining) {
                return;
            }
            state.device = DeviceState::Halted;
            state.reset_needed = ResetNeeded::Function;
            state.errors = state.errors.saturating_add(1);
            self.portals.close_all();
            state.begin_run();
            let interrupt = state.add_error(Entry::device(device_error::PCI_CONFIG));
            let in_flight = state.in_flight.begin();
            (in_flight, state.take_queues(), interrupt)
        };
        self.interrupt_if(interrupt);
        drop(queues);
        self.machine.stop(self.when_gone(move |front| {
            let interrupt = {
                let mut state = front.lock();
                state.device == DeviceState::Halted && state.causes.add(cause::HALT)
            };
            front.interrupt_if(interrupt);
            drop(in_flight);
        }));
    }

    /// As after power-on. What goes on is nobody's, but `hold` lasts as long.
    pub(super) fn reset_function(&self, hold: Hold) {
        let (earlier, in_flight, queues) = {
            let mut state = self.lock();
            state.command_number += 1;
            state.command = CommandStatus::new();
            state.set_defaults();
            self.portals.close_all();
            let earlier = state.in_flight.all();
            (earlier, state.in_flight.begin(), state.take_queues())
        };
        drop(queues);
        ride(earlier, &hold);
        self.machine.stop(Hold::new(move || {
            // Before whoever waits to enable the device anew.
            drop(hold);
            drop(in_flight);
        }));
        self.machine.reset();
    }
}
