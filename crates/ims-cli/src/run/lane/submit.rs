// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The driver's submissions: the next operation, when it is the lane's turn and
//! there is room.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use ims_dsa::SubmitError;

use super::super::operation::Operation;
use super::{Driver, Lane, PORTAL, Parts, Place};

impl Lane {
    /// Submits the first operations.
    pub(in crate::run) fn start(self: &Arc<Self>) {
        let mut driver = self.driver();
        for at in 0..driver.places.len() {
            self.next(&mut driver, at);
        }
    }

    /// Tries again what found the queue full, or no turn; says whether nothing is
    /// left of the kind.
    pub(in crate::run) fn retry(self: &Arc<Self>) -> bool {
        let mut driver = self.driver();
        let mut all = true;
        for at in 0..driver.places.len() {
            all &= match driver.places.get(at) {
                Some(&Place::Waiting(operation)) => self.submit(&mut driver, at, operation),
                Some(Place::Turn) => self.try_next(&mut driver, at),
                _ => true,
            };
        }
        all
    }

    /// Forgets what waits for room in a queue, or for a turn.
    pub(in crate::run) fn withdraw(&self) {
        for place in &mut self.driver().places {
            if let Place::Waiting(_) = place {
                self.parts.vm.turns.end(1);
            }
            if matches!(place, Place::Waiting(_) | Place::Turn) {
                *place = Place::Idle;
            }
        }
    }

    /// Prepares and submits the next operation at `at`, unless the lane stops.
    pub(super) fn next(self: &Arc<Self>, driver: &mut Driver, at: usize) {
        let done = if self.parts.vm.turns.are_limited() {
            if let Some(place) = driver.places.get_mut(at) {
                *place = Place::Turn;
            }
            false
        } else {
            self.try_next(driver, at)
        };
        if !done {
            self.parts.pump.push(Arc::clone(self));
        }
    }

    /// The same; says whether nothing is left to be tried again.
    fn try_next(&self, driver: &mut Driver, at: usize) -> bool {
        let (Some(place), Some(buffers)) = (driver.places.get_mut(at), self.parts.buffers.get(at))
        else {
            return true;
        };
        *place = Place::Idle;
        if self.stopping.load(Ordering::Acquire) {
            return true;
        }
        if !self.parts.vm.turns.begin() {
            *place = Place::Turn;
            return false;
        }
        let memory = &self.parts.vm.memory;
        let handle = self.handle();
        let Driver {
            random, scratch, ..
        } = driver;
        match Operation::prepare(random, buffers, memory, handle, scratch) {
            Ok(operation) => self.submit(driver, at, operation),
            Err(error) => {
                driver.done.wrong.push(error.to_string());
                self.parts.vm.turns.end(1);
                true
            }
        }
    }

    /// Submits, in its turn; says whether the queue had room.
    fn submit(&self, driver: &mut Driver, at: usize, operation: Operation) -> bool {
        let Parts {
            queues,
            work_queue,
            client,
            ..
        } = &self.parts;
        let submitted = queues.submit(*work_queue, client, PORTAL, &operation.descriptor);
        let place = match submitted {
            Ok(()) => Place::Submitted(operation),
            Err(SubmitError::Full) => {
                driver.done.pushed_back += 1;
                Place::Waiting(operation)
            }
            Err(error) => {
                driver.done.wrong.push(error.to_string());
                self.parts.vm.turns.end(1);
                Place::Idle
            }
        };
        let room = !matches!(place, Place::Waiting(_));
        if let Some(at) = driver.places.get_mut(at) {
            *at = place;
        }
        room
    }
}
