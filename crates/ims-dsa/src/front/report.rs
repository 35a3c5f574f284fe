// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Errors of descriptors find their register: the event log if it is enabled and
//! can be written, SWERROR otherwise.

use std::sync::{Arc, Weak};

use super::Front;
use super::event_log::{Added, Event};
use super::software_error::Entry;
use super::state::State;
use crate::errors::{ErrorLog, SoftwareError};
use crate::layout::registers::cause;
use crate::transfer::write;

/// The log of the engines of one run. Errors that come after it ended, by a reset
/// or a halt, are nobody's.
struct RunLog {
    front: Weak<Front>,
    run: u64,
}

impl ErrorLog for RunLog {
    fn report(&self, error: SoftwareError) {
        if let Some(front) = self.front.upgrade() {
            front.report(self.run, &error);
        }
    }
}

impl State {
    /// Puts an error into SWERROR. Returns whether to interrupt.
    #[must_use]
    pub(super) fn add_error(&mut self, entry: Entry) -> bool {
        self.software_error.add(entry) && self.causes.add(cause::SOFTWARE_ERROR)
    }
}

impl Front {
    /// The log for the engines of run `run`.
    pub(super) fn log(&self, run: u64) -> Arc<dyn ErrorLog> {
        Arc::new(RunLog {
            front: Weak::clone(&self.this),
            run,
        })
    }

    /// An error of the device itself.
    pub(super) fn device_error(&self, entry: Entry) {
        let interrupt = {
            let mut state = self.lock();
            state.errors = state.errors.saturating_add(1);
            state.add_error(entry)
        };
        self.interrupt_if(interrupt);
    }

    fn report(&self, run: u64, error: &SoftwareError) {
        let (write, interrupt) = {
            let mut state = self.lock();
            if state.run != run {
                return;
            }
            state.errors = state.errors.saturating_add(1);
            let queue = (0u8..)
                .zip(&state.queues)
                .find(|(_, queue)| {
                    let engines = queue.enabled.as_ref();
                    engines.is_some_and(|engines| engines.number() == error.queue)
                })
                .map(|(number, _)| number);
            if state.general.event_log() {
                match state.event_log.add(Event::new(error, queue)) {
                    Added::Write => (true, false),
                    Added::Waiting => (false, false),
                    Added::Full => (false, state.add_error(Entry::descriptor(error, queue))),
                }
            } else {
                (false, state.add_error(Entry::descriptor(error, queue)))
            }
        };
        self.interrupt_if(interrupt);
        if write {
            self.write_events(run);
        }
    }

    /// Writes events until none waits, or the run has ended.
    fn write_events(&self, run: u64) {
        loop {
            let (address, event) = {
                let mut state = self.lock();
                if state.run != run {
                    return;
                }
                match state.event_log.next() {
                    Some(next) => next,
                    None => return,
                }
            };
            let memory = self.machine.memory();
            let written =
                memory.is_some_and(|memory| write(&*memory, address, &event.bytes).is_ok());
            let interrupt = {
                let mut state = self.lock();
                if state.run != run {
                    return;
                }
                let enabled = state.causes.event_log_interrupt();
                let raise = state.event_log.wrote(written, enabled);
                if written {
                    raise && state.causes.add(cause::EVENT_LOG)
                } else {
                    state.add_error(event.fallback)
                }
            };
            self.interrupt_if(interrupt);
        }
    }
}
