// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The smallest device for a model: one port that posts straight into one
//! descriptor, the message's data being the vector.

use alloc::sync::Arc;
use loom::thread::JoinHandle;

use crate::domain::Port;
use crate::grace::{Grace, Raiser};
use crate::message::{Message, RequesterId};
use crate::posted::{Descriptor, Notification, Pending};
use crate::sink::{Acceptance, Answer, MessageSink};
use crate::store::{Cookie, Effects, Slots, Store};

/// Posts a message's data as a vector; refuses one that was torn.
#[derive(Debug, Clone)]
pub(super) struct Poster(pub(super) Arc<Descriptor>);

/// The message for a vector: address and data say the same.
pub(super) fn message(vector: u8) -> Message {
    Message {
        address: 0xfee0_0000 | u64::from(vector) << 12,
        data: vector.into(),
    }
}

impl MessageSink for Poster {
    fn send(&self, _requester: RequesterId, sent: Message) -> Answer {
        let vector = u8::try_from(sent.data).expect("torn: no vector");
        assert_eq!(
            sent,
            message(vector),
            "torn: address of one message, data of another"
        );
        if self.0.post(vector, false).coalesced {
            Answer::Accepted(Acceptance::Coalesced)
        } else {
            Answer::Accepted(Acceptance::Fresh)
        }
    }
}

/// What a model starts from.
pub(super) struct Bench<S: Store, K> {
    pub(super) store: S,
    pub(super) port: Port<S::Slots, K>,
    pub(super) grace: Grace,
    pub(super) effects: Effects,
}

pub(super) fn descriptor() -> Arc<Descriptor> {
    Arc::new(Descriptor::new(Notification {
        destination: 0,
        vector: 0,
    }))
}

/// What is pending in a descriptor.
pub(super) fn harvest(descriptor: &Descriptor) -> Pending {
    descriptor.harvest()
}

impl<S: Store, K: MessageSink> Bench<S, K> {
    /// A store with slot 0 programmed for `vector` and masked.
    pub(super) fn new(store: S, sink: K, vector: u8) -> Self {
        Self::programmed(store, sink, message(vector))
    }

    /// A store with slot 0 programmed with this message and masked.
    pub(super) fn programmed(mut store: S, sink: K, message: Message) -> Self {
        let grace = Grace::new();
        let mut effects = Effects::default();
        store.prepare(0, Cookie(0)).unwrap();
        store.program(0, message);
        store.sync(&grace, &mut effects).unwrap();
        let port = Port::new(store.slots(), sink, RequesterId(0));
        port.open(0);
        Self {
            store,
            port,
            grace,
            effects,
        }
    }

    /// The same, unmasked.
    pub(super) fn unmasked(store: S, sink: K, vector: u8) -> Self {
        let mut bench = Self::new(store, sink, vector);
        bench.unmask();
        bench
    }

    pub(super) fn unmask(&mut self) {
        self.store.unmask(0, &mut self.effects);
        self.store.sync(&self.grace, &mut self.effects).unwrap();
        self.replay();
    }

    pub(super) fn thaw(&mut self) {
        self.store.thaw(0, &mut self.effects);
        self.replay();
    }

    pub(super) fn mask(&mut self) {
        self.store.mask(0);
        self.store.sync(&self.grace, &mut self.effects).unwrap();
    }

    fn replay(&mut self) {
        let mut raiser = self.grace.raiser();
        let flight = raiser.enter();
        for index in self.effects.replay.drain(..) {
            self.port.replay(&flight, index);
        }
    }

    /// The thread that a wait waits for.
    pub(super) fn start(&self, device: JoinHandle<()>) {
        self.grace.device.replace(Some(device));
    }

    /// Joins it, if no wait had to.
    pub(super) fn finish(&self) {
        if let Some(device) = self.grace.device.take() {
            device.join().unwrap();
        }
    }

    pub(super) fn raiser(&mut self) -> Raiser {
        self.grace.raiser()
    }
}

/// Raises interrupt 0.
pub(super) fn raise<S: Slots, K: MessageSink>(port: &Port<S, K>, raiser: &mut Raiser) {
    let flight = raiser.enter();
    let _ = port.raise(&flight, 0, 0, None);
}
