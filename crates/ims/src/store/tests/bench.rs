// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A store with a port before a sink that records what it takes, driven as a
//! domain drives it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::vec::Vec;

use alloc::sync::Arc;

use crate::domain::{Port, Raised};
use crate::grace::{Grace, Raiser};
use crate::message::{Message, RequesterId};
use crate::sink::{Acceptance, Answer, MessageSink};
use crate::store::{Cookie, Effects, Pasid, Store, StoreError};

pub(super) const REQUESTER: RequesterId = RequesterId(0x3a8);

/// Takes messages unless it is busy.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    busy: AtomicBool,
    taken: Mutex<Vec<Message>>,
}

impl MessageSink for Recorder {
    fn send(&self, requester: RequesterId, message: Message) -> Answer {
        assert_eq!(requester, REQUESTER);
        if self.busy.load(SeqCst) {
            return Answer::Busy;
        }
        self.taken.lock().unwrap().push(message);
        Answer::Accepted(Acceptance::Fresh)
    }

    fn ready(&self, _requester: RequesterId, _message: Message) -> bool {
        !self.busy.load(SeqCst)
    }
}

/// The message of interrupt `number`: address and data each say which.
pub(super) fn message(number: u32) -> Message {
    Message {
        address: 0xfee0_0000 | u64::from(number) << 2 | u64::from(number) << 40,
        data: number,
    }
}

pub(super) struct Bench<S: Store> {
    pub(super) store: S,
    pub(super) port: Port<S::Slots, Arc<Recorder>>,
    sink: Arc<Recorder>,
    grace: Grace,
    raiser: Raiser,
    effects: Effects,
}

impl<S: Store> Bench<S> {
    pub(super) fn new(store: S) -> Self {
        let sink = Arc::<Recorder>::default();
        let port = Port::new(store.slots(), Arc::clone(&sink), REQUESTER);
        let mut grace = Grace::new();
        let raiser = grace.raiser();
        Self {
            store,
            port,
            sink,
            grace,
            raiser,
            effects: Effects::default(),
        }
    }

    /// An unmasked slot with this message, effective.
    pub(super) fn unmasked(&mut self, index: u32, message: Message) {
        self.store.prepare(index, Cookie(0)).unwrap();
        self.store.program(index, message);
        self.unmask(index);
        self.port.open(index);
        self.sync().unwrap();
    }

    pub(super) fn unmask(&mut self, index: u32) {
        self.store.unmask(index, &mut self.effects);
    }

    pub(super) fn clear(&mut self, index: u32) {
        self.store.clear(index, &mut self.effects);
    }

    /// Syncs, and acts on what came of it and of what was done before.
    pub(super) fn sync(&mut self) -> Result<(), StoreError> {
        self.store.sync(&self.grace, &mut self.effects)?;
        for index in self.effects.merged.drain(..) {
            self.port.merged(index);
        }
        for index in self.effects.dropped.drain(..) {
            self.port.dropped(index);
        }
        let flight = self.raiser.enter();
        for index in self.effects.replay.drain(..) {
            self.port.replay(&flight, index);
        }
        Ok(())
    }

    pub(super) fn raise(&mut self, index: u32, engine: u32, submitter: Option<u32>) -> Raised {
        let submitter = submitter.and_then(Pasid::new);
        self.port
            .raise(&self.raiser.enter(), engine, index, submitter)
    }

    pub(super) fn raiser(&mut self) -> Raiser {
        self.grace.raiser()
    }

    pub(super) fn set_busy(&mut self, busy: bool) {
        self.sink.busy.store(busy, SeqCst);
        if !busy {
            let flight = self.raiser.enter();
            for index in 0..self.port.indices() {
                self.port.retry(&flight, u32::try_from(index).unwrap());
            }
        }
    }

    /// What the sink has taken since the last call.
    pub(super) fn taken(&self) -> Vec<Message> {
        core::mem::take(&mut self.sink.taken.lock().unwrap())
    }
}
