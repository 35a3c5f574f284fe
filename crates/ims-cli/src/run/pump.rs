// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Lanes that found their work queue full, tried again until there is room.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::lane::Lane;

/// How long to wait for room before the next try.
const PAUSE: Duration = Duration::from_micros(100);

/// The lanes that wait.
#[derive(Default)]
pub(super) struct Pump {
    lanes: Mutex<VecDeque<Arc<Lane>>>,
    some: Condvar,
    stopped: AtomicBool,
}

impl Pump {
    pub(super) fn push(&self, lane: Arc<Lane>) {
        self.lanes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_back(lane);
        self.some.notify_one();
    }

    /// Tries until [`Pump::stop`].
    pub(super) fn run(&self) {
        while !self.stopped.load(Ordering::Relaxed) {
            let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(lane) = lanes.pop_front() else {
                let waited = self.some.wait_timeout(lanes, Duration::from_millis(20));
                drop(waited);
                continue;
            };
            drop(lanes);
            if !lane.retry() {
                self.push(lane);
                std::thread::sleep(PAUSE);
            }
        }
    }

    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        self.some.notify_all();
    }
}
