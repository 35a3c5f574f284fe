// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The part of who takes a queue's interrupt: puts what is done into the used ring,
//! and tells the driver if it wants to know.

use std::sync::Arc;

use super::Work;
use super::ring::RingError;
use super::run::{RETRIES, Run, Running};
use crate::memory::Memory;

impl<M: Memory, W: Work> Run<M, W> {
    /// The interrupt of `queue` was taken: tells the driver what is done.
    pub(super) fn complete(self: &Arc<Self>, queue: u16) {
        let Some(lane) = self.lane(queue).filter(|_| !self.is_stopped()) else {
            return;
        };
        let mut used = lane.take_done();
        let mut tell = false;
        for retries in 0..=RETRIES {
            if used.is_empty() {
                break;
            }
            let Some(memory) = self.memory.enter() else {
                lane.keep_done(used);
                Arc::clone(self).call(queue);
                break;
            };
            let mut ring = lane.ring();
            let put = used
                .iter()
                .map_while(|used| ring.put(&*memory, *used).ok())
                .count();
            used.drain(..put);
            // One that cannot be asked is told.
            tell |= put > 0 && ring.wants_interrupt(&*memory).unwrap_or(true);
            drop(ring);
            if retries == RETRIES && !used.is_empty() {
                self.break_off(queue, lane, RingError::Unreachable);
            }
        }
        if tell {
            self.notifier.used(queue);
        }
    }
}
