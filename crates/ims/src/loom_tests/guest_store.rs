// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A guest's store against raise: the first touch of a slot from both sides, and
//! what holds all slots back.

use alloc::sync::Arc;
use loom::sync::atomic::AtomicU64;
use loom::sync::atomic::Ordering::Relaxed;
use loom::thread;

use super::bench::message;
use crate::guest::{Port, Store};
use crate::message::{Message, RequesterId};
use crate::sink::{Acceptance, Answer, MessageSink};

/// Takes messages and looks, where they are taken, at what they announce.
#[derive(Debug, Default)]
struct Receiver {
    taken: AtomicU64,
    data: AtomicU64,
    seen: AtomicU64,
}

impl MessageSink for Receiver {
    fn send(&self, _requester: RequesterId, sent: Message) -> Answer {
        let vector = u8::try_from(sent.data).expect("torn: no vector");
        assert_eq!(sent, message(vector), "torn");
        self.seen.fetch_or(self.data.load(Relaxed), Relaxed);
        self.taken.fetch_add(1, Relaxed);
        Answer::Accepted(Acceptance::HandedOver)
    }
}

type Guest = Store<Arc<Receiver>>;

fn guest() -> (Guest, Arc<Receiver>) {
    let sink = Arc::<Receiver>::default();
    let store = Store::new(2, RequesterId(0), Arc::clone(&sink)).unwrap();
    (store, sink)
}

fn program(store: &mut Guest, vector: u8) {
    store.write(0, &message(vector).address.to_le_bytes());
    // Data, and control last: unmasked.
    store.write(8, &u64::from(message(vector).data).to_le_bytes());
}

fn device(port: Port<Arc<Receiver>>, sink: &Arc<Receiver>) -> thread::JoinHandle<()> {
    let sink = Arc::clone(sink);
    thread::spawn(move || {
        sink.data.store(1, Relaxed);
        let _ = port.raise(0);
    })
}

#[track_caller]
fn assert_taken_once(store: &Guest, sink: &Receiver) {
    assert_eq!(sink.taken.load(Relaxed), 1, "exactly once");
    assert_eq!(sink.seen.load(Relaxed), 1, "data");
    assert!(!store.port().is_pending(0));
}

#[test]
fn loom_guest_store_a_raise_that_meets_the_first_programming_is_taken_once() {
    loom::model(|| {
        let (mut store, sink) = guest();
        store.set_enabled(true);
        let device = device(store.port(), &sink);
        program(&mut store, 0x31);
        device.join().unwrap();
        assert_taken_once(&store, &sink);
    });
}

#[test]
fn loom_guest_store_a_raise_that_meets_the_enable_is_taken_once() {
    loom::model(|| {
        let (mut store, sink) = guest();
        program(&mut store, 0x31);
        let device = device(store.port(), &sink);
        store.set_enabled(true);
        device.join().unwrap();
        assert_taken_once(&store, &sink);
    });
}

#[test]
fn loom_guest_store_a_first_raise_that_meets_enable_and_programming_is_taken_once() {
    loom::model(|| {
        let (mut store, sink) = guest();
        let device = device(store.port(), &sink);
        store.set_enabled(true);
        program(&mut store, 0x31);
        device.join().unwrap();
        assert_taken_once(&store, &sink);
    });
}

#[test]
fn loom_guest_store_a_raise_that_meets_a_disable_and_its_end_is_taken_once() {
    loom::model(|| {
        let (mut store, sink) = guest();
        store.set_enabled(true);
        program(&mut store, 0x31);
        let device = device(store.port(), &sink);
        store.set_enabled(false);
        store.set_enabled(true);
        device.join().unwrap();
        assert_taken_once(&store, &sink);
    });
}
