// SPDX-License-Identifier: Apache-2.0 OR MIT
//! All that registers hold, under one lock.

use super::cause::Causes;
use super::configuration::{Configuration, Disabled};
use super::configured::Configured;
use super::event_log::EventLog;
use super::in_flight::InFlights;
use super::parameters::Parameters;
use super::software_error::ErrorRegister;
use crate::layout::command::CommandStatus;
use crate::layout::registers::{DeviceState, GeneralConfig, ResetNeeded};
use crate::layout::tables::QueueStateWord;
use crate::work_queue::WorkQueue;

/// A queue, as commands know it.
#[derive(Debug, Default)]
pub(super) struct QueueState {
    /// The engines' queue, from Enable Queue until it is disabled and empty.
    pub(super) enabled: Option<WorkQueue>,
}

/// What registers hold.
#[derive(Debug)]
pub(super) struct State {
    pub(super) device: DeviceState,
    /// What leads out of a halt.
    pub(super) reset_needed: ResetNeeded,
    pub(super) general: GeneralConfig,
    pub(super) causes: Causes,
    pub(super) command: CommandStatus,
    pub(super) configuration: Configuration,
    pub(super) queues: Vec<QueueState>,
    pub(super) software_error: ErrorRegister,
    pub(super) event_log: EventLog,
    pub(super) in_flight: InFlights,
    /// Grows when a command begins and at a reset: a command whose number is no
    /// longer this one is stale, and its end is nobody's.
    pub(super) command_number: u64,
    /// Grows when engines are started or given up: errors of others are dropped.
    pub(super) run: u64,
    /// Errors since power-on.
    pub(super) errors: u64,
}

impl State {
    pub(super) fn new(parameters: &Parameters, configured: Option<&Configured>) -> Self {
        let queues = (0..parameters.queues).map(|_| QueueState::default());
        Self {
            device: DeviceState::Disabled,
            reset_needed: ResetNeeded::Software,
            general: GeneralConfig::new(),
            causes: Causes::default(),
            command: CommandStatus::new(),
            configuration: Configuration::new(parameters, configured),
            queues: queues.collect(),
            software_error: ErrorRegister::default(),
            event_log: EventLog::default(),
            in_flight: InFlights::default(),
            command_number: 0,
            run: 0,
            errors: 0,
        }
    }

    /// Registers and tables as after power-on. A command's status stays: Reset
    /// Device has one to tell.
    pub(super) fn set_defaults(&mut self) {
        self.device = DeviceState::Disabled;
        self.reset_needed = ResetNeeded::Software;
        self.general = GeneralConfig::new();
        self.causes = Causes::default();
        self.configuration.reset();
        self.software_error = ErrorRegister::default();
        self.event_log.reset();
        self.begin_run();
    }

    /// Engines are about to start, or are given up: nobody's errors but theirs
    /// count from now on.
    pub(super) fn begin_run(&mut self) -> u64 {
        self.event_log.abandon();
        self.run += 1;
        self.run
    }

    /// Takes the queues away from registers, to be given up or drained.
    pub(super) fn take_queues(&mut self) -> Vec<WorkQueue> {
        self.queues
            .iter_mut()
            .filter_map(|queue| queue.enabled.take())
            .collect()
    }

    /// The queues that are enabled, to drain or abort.
    pub(super) fn enabled_queues(&self) -> Vec<WorkQueue> {
        self.queues
            .iter()
            .filter_map(|queue| queue.enabled.clone())
            .collect()
    }

    /// GENSTS.
    pub(super) fn general_status(&self) -> u32 {
        self.device as u32 | (self.reset_needed as u32) << 2
    }

    /// Whether the device is disabled.
    pub(super) fn is_disabled(&self) -> bool {
        self.device == DeviceState::Disabled
    }

    /// What of queue `number` may be written.
    pub(super) fn disabled(&self, number: u64) -> Disabled {
        Disabled {
            device: self.is_disabled(),
            queue: self.queue(number).is_none(),
        }
    }

    /// Queue `number`, if it is enabled.
    pub(super) fn queue(&self, number: u64) -> Option<&WorkQueue> {
        let index = usize::try_from(number).ok()?;
        self.queues.get(index)?.enabled.as_ref()
    }

    /// A queue's state word, but for its occupancy.
    pub(super) fn queue_state(&self, number: u64, mode_support: bool) -> QueueStateWord {
        let enabled = self.queue(number).is_some();
        QueueStateWord::new()
            .with_mode_support(mode_support)
            .with_state(enabled.into())
    }
}
