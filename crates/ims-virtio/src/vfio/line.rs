// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The pin of a function, as the client has it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ims_vfio::Function;

use crate::line::Line;

/// INTx: status in config space, and the client's eventfd. Whether the command
/// register disables it is the client's to heed, who has the pin.
#[derive(Debug)]
pub(super) struct ClientPin {
    function: Arc<Function>,
    asserted: AtomicU64,
}

impl ClientPin {
    pub(super) fn new(function: Arc<Function>) -> Self {
        Self {
            function,
            asserted: AtomicU64::new(0),
        }
    }

    /// How many times it was asserted.
    pub(super) fn asserted(&self) -> u64 {
        self.asserted.load(Ordering::Relaxed)
    }
}

impl Line for ClientPin {
    fn set(&self, asserted: bool) {
        if asserted {
            self.asserted.fetch_add(1, Ordering::Relaxed);
        }
        self.function.config.set_interrupt_status(asserted);
        self.function.irqs.intx(asserted);
    }
}
