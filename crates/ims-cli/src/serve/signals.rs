// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The signals that end a server in order.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{flag, iterator};

/// SIGTERM and SIGINT, once: who sends a second one does not want to wait.
pub(super) struct Signals(iterator::Signals);

impl Signals {
    /// From now on the first of them is kept for [`Signals::wait`].
    pub(super) fn new() -> io::Result<Self> {
        let again = Arc::new(AtomicBool::new(false));
        for signal in [SIGTERM, SIGINT] {
            // In this order: the first sets what makes the second end the process.
            flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&again))?;
            flag::register(signal, Arc::clone(&again))?;
        }
        Ok(Self(iterator::Signals::new([SIGTERM, SIGINT])?))
    }

    /// Waits for the first.
    pub(super) fn wait(mut self) {
        self.0.forever().next();
    }
}
