// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A reset that goes on until the device has let go.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ims_vfio::Hold;

/// The last reset.
#[derive(Debug, Default)]
pub(super) struct Resetting(Option<Arc<Reset>>);

#[derive(Debug)]
struct Reset {
    /// What status read before.
    status: u32,
    /// Who waits; `None` when it is done. Held for a moment, never while a hold goes.
    waiting: Mutex<Option<Vec<Hold>>>,
}

impl Reset {
    fn waiting(&self) -> MutexGuard<'_, Option<Vec<Hold>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Resetting {
    /// Begins one; the hold it gives is the device's, and `hold` goes with it.
    pub(super) fn begin(&mut self, status: u32, hold: Hold) -> Hold {
        let reset = Arc::new(Reset {
            status,
            waiting: Mutex::new(Some(vec![hold])),
        });
        self.0 = Some(Arc::clone(&reset));
        Hold::new(move || {
            let waiting = mem::take(&mut *reset.waiting());
            drop(waiting);
        })
    }

    /// `hold` waits for the reset that goes on, if one does.
    pub(super) fn join(&self, hold: Hold) {
        if let Some(reset) = &self.0
            && let Some(waiting) = &mut *reset.waiting()
        {
            waiting.push(hold);
        }
    }

    pub(super) fn goes_on(&self) -> bool {
        self.status_before().is_some()
    }

    /// What status read before the reset that goes on.
    pub(super) fn status_before(&self) -> Option<u32> {
        let reset = self.0.as_ref()?;
        reset.waiting().as_ref().map(|_| reset.status)
    }
}
