// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where interrupts arrive, with everything that came.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use ims::message::{Message, RequesterId};
use ims::sink::{Acceptance, Answer, MessageSink};
use ims_virtio::Line;

/// Longer than anything takes.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Something that threads wait for: how often it rang.
#[derive(Default)]
pub struct Bell {
    count: Mutex<u64>,
    rang: Condvar,
}

impl Bell {
    pub fn ring(&self) {
        *self.count.lock().unwrap() += 1;
        self.rang.notify_all();
    }

    pub fn count(&self) -> u64 {
        *self.count.lock().unwrap()
    }

    /// Waits until it has rung more often than `seen`, and counts these as seen;
    /// false if it does not.
    pub fn wait(&self, seen: &mut u64) -> bool {
        let count = self.count.lock().unwrap();
        let (count, waited) = self
            .rang
            .wait_timeout_while(count, PATIENCE, |count| *count <= *seen)
            .unwrap();
        *seen = *count;
        !waited.timed_out()
    }
}

/// A bell for each vector: the low half of a message's data is its number.
pub struct Bells {
    bells: Vec<Bell>,
    /// How often each message came.
    log: Mutex<HashMap<Message, u64>>,
}

impl Bells {
    pub fn new(vectors: u32) -> Self {
        Self {
            bells: (0..vectors).map(|_| Bell::default()).collect(),
            log: Mutex::default(),
        }
    }

    pub fn bell(&self, vector: u32) -> &Bell {
        &self.bells[vector as usize]
    }

    pub fn ring_all(&self) {
        self.bells.iter().for_each(Bell::ring);
    }

    /// The messages that came since this was last asked.
    pub fn take_log(&self) -> HashMap<Message, u64> {
        std::mem::take(&mut self.log.lock().unwrap())
    }
}

impl MessageSink for Bells {
    fn send(&self, requester: RequesterId, message: Message) -> Answer {
        assert_eq!(requester, super::REQUESTER);
        *self.log.lock().unwrap().entry(message).or_default() += 1;
        self.bells[(message.data & 0xffff) as usize].ring();
        Answer::Accepted(Acceptance::Fresh)
    }
}

/// The pin of the single interrupt.
#[derive(Default)]
pub struct Pin {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    asserted: bool,
    rises: u64,
    closed: bool,
}

impl Pin {
    /// Waits until it is asserted; false if it is closed instead, or nothing comes.
    pub fn wait(&self) -> bool {
        let state = self.state.lock().unwrap();
        let (state, waited) = self
            .changed
            .wait_timeout_while(state, PATIENCE * 2, |state| {
                !state.asserted && !state.closed
            })
            .unwrap();
        !waited.timed_out() && !state.closed
    }

    pub fn close(&self) {
        self.state.lock().unwrap().closed = true;
        self.changed.notify_all();
    }

    /// Opens it until the value is dropped, be it by a panic.
    pub fn open(&self) -> Opened<'_> {
        self.state.lock().unwrap().closed = false;
        Opened(self)
    }

    /// How often it was asserted.
    pub fn rises(&self) -> u64 {
        self.state.lock().unwrap().rises
    }

    /// Waits until it is not asserted: who acknowledges while the device is asserting
    /// it leaves the rest to the device.
    pub fn wait_low(&self) -> bool {
        let state = self.state.lock().unwrap();
        let low = self
            .changed
            .wait_timeout_while(state, PATIENCE, |state| state.asserted);
        !low.unwrap().1.timed_out()
    }

    pub fn is_asserted(&self) -> bool {
        self.state.lock().unwrap().asserted
    }
}

/// A pin that is waited for.
pub struct Opened<'a>(&'a Pin);

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Line for Pin {
    fn set(&self, asserted: bool) {
        let mut state = self.state.lock().unwrap();
        assert_ne!(state.asserted, asserted, "set to what it is");
        state.asserted = asserted;
        state.rises += u64::from(asserted);
        self.changed.notify_all();
    }
}
