// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What has begun and has not ended: commands, halts, resets.
//!
//! A reset does not wait for a command that drains; it makes it stale. What the
//! command set in motion goes on a while, and whoever must not overtake it (the
//! next Enable Device, the client that waits for its reset) is carried along:
//!
//! ```text
//!   command ── Hold ──▶ engines ─ ─ ─ dropped ─▶ InFlight dropped ─▶ riders dropped
//!                                                  ▲
//!   reset, Enable Device: Hold ──── rides ─────────┘
//! ```

use std::sync::{Arc, Mutex, PoisonError, Weak};

use ims_vfio::Hold;

/// One of them. It has ended when its last clone is dropped, in an order that
/// suits riders: after all else it did.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    riders: Mutex<Vec<Hold>>,
}

impl InFlight {
    fn carry(&self, hold: Hold) {
        let mut riders = self.riders.lock().unwrap_or_else(PoisonError::into_inner);
        riders.push(hold);
    }
}

/// All of them that may go on.
#[derive(Debug, Default)]
pub(super) struct InFlights(Vec<Weak<InFlight>>);

impl InFlights {
    /// One more begins.
    pub(super) fn begin(&mut self) -> Arc<InFlight> {
        self.0.retain(|one| one.strong_count() > 0);
        let new = Arc::default();
        self.0.push(Arc::downgrade(&new));
        new
    }

    /// Those that go on. The caller gives them to [`ride`] when it holds no lock:
    /// the last one to let go of one drops its riders.
    pub(super) fn all(&self) -> Vec<Arc<InFlight>> {
        self.0.iter().filter_map(Weak::upgrade).collect()
    }
}

/// Makes `hold` last until all of `these` have ended.
pub(super) fn ride(these: Vec<Arc<InFlight>>, hold: &Hold) {
    for one in these {
        one.carry(hold.clone());
    }
}
