// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Why the miscellaneous interrupt was raised (INTCAUSE), and which causes may
//! raise it (GENCTRL).

use super::Front;
use super::configuration::merge;
use crate::layout::registers::{GeneralControl, cause};

/// Causes and what is enabled of them.
#[derive(Debug, Default)]
pub(super) struct Causes {
    raised: u32,
    control: GeneralControl,
}

const CONTROL_MASK: u32 = GeneralControl::new()
    .with_software_error_interrupt(true)
    .with_halt_interrupt(true)
    .with_event_log_interrupt(true)
    .into_bits();

impl Causes {
    /// INTCAUSE.
    pub(super) fn raised(&self) -> u32 {
        self.raised
    }

    /// Writing ones takes causes back.
    pub(super) fn clear(&mut self, ones: u32) {
        self.raised &= !ones;
    }

    /// GENCTRL.
    pub(super) fn control(&self) -> u32 {
        self.control.into_bits()
    }

    /// A write to GENCTRL.
    pub(super) fn set_control(&mut self, value: u32, mask: u32) {
        let bits = merge(self.control.into_bits(), value, mask & CONTROL_MASK);
        self.control = GeneralControl::from_bits(bits);
    }

    /// Whether event log entries interrupt.
    pub(super) fn event_log_interrupt(&self) -> bool {
        self.control.event_log_interrupt()
    }

    /// `bit` has come about. Says whether to interrupt: it is enabled, and software
    /// has taken note of the last time.
    #[must_use]
    pub(super) fn add(&mut self, bit: u32) -> bool {
        let enabled = match bit {
            cause::SOFTWARE_ERROR => self.control.software_error_interrupt(),
            cause::HALT => self.control.halt_interrupt(),
            cause::EVENT_LOG => self.control.event_log_interrupt(),
            _ => true,
        };
        let new = enabled && self.raised & bit == 0;
        if new {
            self.raised |= bit;
        }
        new
    }
}

impl Front {
    /// A cause comes about.
    pub(super) fn raise(&self, bit: u32) {
        let interrupt = self.lock().causes.add(bit);
        self.interrupt_if(interrupt);
    }

    /// Raises the miscellaneous interrupt. Not under the lock.
    pub(super) fn interrupt_if(&self, interrupt: bool) {
        if interrupt {
            self.machine.raise_misc();
        }
    }
}
