// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A busy sink against raise: what it did not take is kept and taken once.

use alloc::sync::Arc;
use loom::sync::atomic::Ordering::{Relaxed, SeqCst};
use loom::sync::atomic::{AtomicBool, AtomicU64, fence};
use loom::thread;

use super::bench::{Bench, raise};
use crate::message::{Message, RequesterId};
use crate::sink::{Acceptance, Answer, MessageSink};
use crate::store::CookieUse;
use crate::store::table::Table;

#[derive(Debug, Default)]
struct Gate {
    open: AtomicBool,
    taken: AtomicU64,
}

impl MessageSink for Gate {
    fn send(&self, _requester: RequesterId, _message: Message) -> Answer {
        if self.open.load(Relaxed) {
            self.taken.fetch_add(1, Relaxed);
            Answer::Accepted(Acceptance::Fresh)
        } else {
            Answer::Busy
        }
    }

    fn ready(&self, _requester: RequesterId, _message: Message) -> bool {
        self.open.load(Relaxed)
    }
}

#[test]
fn loom_a_raise_that_meets_a_sink_getting_ready_is_taken_once() {
    loom::model(|| {
        let gate = Arc::new(Gate::default());
        let table = Table::new(1, CookieUse::Opaque);
        let mut bench = Bench::unmasked(table, Arc::clone(&gate), 0x31);
        let (port, mut raiser) = (bench.port.clone(), bench.raiser());
        let device = thread::spawn(move || raise(&port, &mut raiser));
        gate.open.store(true, Relaxed);
        fence(SeqCst);
        let mut own = bench.raiser();
        bench.port.retry(&own.enter(), 0);
        device.join().unwrap();
        assert_eq!(gate.taken.load(Relaxed), 1);
        assert!(!bench.port.is_pending(0));
    });
}
