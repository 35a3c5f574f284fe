// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A thread that sleeps until a [`Hold`] is gone.

use std::sync::{Arc, PoisonError};

use ims_vfio::Hold;

use crate::sync::{Condvar, Mutex};

/// Rung once; whoever waits goes on.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Bell {
    /// A hold that rings the bell when its last clone is dropped.
    pub(crate) fn hold(self: &Arc<Self>) -> Hold {
        let bell = Arc::clone(self);
        Hold::new(move || bell.ring())
    }

    pub(crate) fn ring(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    /// Sleeps until it is rung.
    pub(crate) fn wait(&self) {
        let mut rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        while !*rung {
            rung = self
                .changed
                .wait(rung)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    #[cfg(test)]
    pub(crate) fn is_rung(&self) -> bool {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
