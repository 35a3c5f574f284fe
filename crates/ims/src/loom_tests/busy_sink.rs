// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A busy sink against raise: what it did not take is kept and taken once, with
//! its data.

use alloc::sync::Arc;
use loom::sync::atomic::Ordering::{Relaxed, SeqCst};
use loom::sync::atomic::{AtomicBool, AtomicU64, fence};
use loom::thread;

use super::bench::{Bench, Poster, descriptor, harvest, raise};
use crate::domain::Raised;
use crate::message::{Message, RequesterId};
use crate::posted::Descriptor;
use crate::sink::{Answer, MessageSink};
use crate::store::CookieUse;
use crate::store::table::Table;

/// Busy until it is opened, then posts.
#[derive(Debug)]
struct Gate {
    open: AtomicBool,
    taken: AtomicU64,
    posts: Poster,
}

impl MessageSink for Gate {
    fn send(&self, requester: RequesterId, message: Message) -> Answer {
        if self.open.load(Relaxed) {
            self.taken.fetch_add(1, Relaxed);
            self.posts.send(requester, message)
        } else {
            Answer::Busy
        }
    }

    fn ready(&self, _requester: RequesterId, _message: Message) -> bool {
        self.open.load(Relaxed)
    }
}

impl Gate {
    /// Becomes ready, as [`MessageSink`] asks: before anything is retried.
    fn open(&self) {
        self.open.store(true, Relaxed);
        fence(SeqCst);
    }
}

fn gated() -> (Bench<Table, Arc<Gate>>, Arc<Gate>, Arc<Descriptor>) {
    let target = descriptor();
    let gate = Arc::new(Gate {
        open: AtomicBool::new(false),
        taken: AtomicU64::new(0),
        posts: Poster(Arc::clone(&target)),
    });
    let table = Table::new(1, CookieUse::Opaque);
    (
        Bench::unmasked(table, Arc::clone(&gate), 0x31),
        gate,
        target,
    )
}

#[test]
fn loom_a_raise_that_meets_a_sink_getting_ready_is_taken_once() {
    loom::model(|| {
        let (mut bench, gate, _target) = gated();
        let (port, mut raiser) = (bench.port.clone(), bench.raiser());
        let device = thread::spawn(move || raise(&port, &mut raiser));
        gate.open();
        let mut own = bench.raiser();
        bench.port.retry(&own.enter(), 0);
        device.join().unwrap();
        assert_eq!(gate.taken.load(Relaxed), 1);
        assert!(!bench.port.is_pending(0));
    });
}

#[test]
fn loom_a_retried_raise_is_taken_with_its_data() {
    loom::model(|| {
        let (mut bench, gate, target) = gated();
        let data = Arc::new(AtomicU64::new(0));
        let (port, mut raiser) = (bench.port.clone(), bench.raiser());
        let written = Arc::clone(&data);
        let device = thread::spawn(move || {
            written.store(1, Relaxed);
            raise(&port, &mut raiser);
        });
        gate.open();
        let mut own = bench.raiser();
        bench.port.retry(&own.enter(), 0);
        let early = harvest(&target).eq([0x31]);
        if early {
            assert_eq!(data.load(Relaxed), 1, "interrupt before its data");
        }
        device.join().unwrap();
        assert_ne!(early, harvest(&target).eq([0x31]), "delivered once in all");
    });
}

#[test]
fn loom_a_raise_that_meets_a_busy_sink_and_a_mask_is_taken_once_after_both_are_gone() {
    loom::model(|| {
        let (mut bench, gate, target) = gated();
        let (port, mut raiser) = (bench.port.clone(), bench.raiser());
        let device = thread::spawn(move || raise(&port, &mut raiser));
        bench.mask();
        gate.open();
        let mut own = bench.raiser();
        bench.port.retry(&own.enter(), 0);
        bench.unmask();
        device.join().unwrap();
        assert_eq!(gate.taken.load(Relaxed), 1);
        assert!(harvest(&target).eq([0x31]));
        assert!(!bench.port.is_pending(0));
    });
}

#[test]
fn loom_a_raise_is_kept_while_its_slot_is_masked_whatever_becomes_of_the_sink() {
    loom::model(|| {
        let (mut bench, gate, _target) = gated();
        let (port, mut raiser) = (bench.port.clone(), bench.raiser());
        let device = thread::spawn(move || raise(&port, &mut raiser));
        bench.mask();
        gate.open();
        let mut own = bench.raiser();
        bench.port.retry(&own.enter(), 0);
        device.join().unwrap();
        let taken = gate.taken.load(Relaxed) == 1;
        assert_ne!(taken, bench.port.is_pending(0), "taken or kept");
        bench.unmask();
        assert_eq!(gate.taken.load(Relaxed), 1);
    });
}

#[test]
fn loom_a_raise_that_an_unmask_takes_from_before_a_busy_sink_brings_its_data() {
    loom::model(|| {
        let (mut bench, gate, target) = gated();
        let data = Arc::new(AtomicU64::new(0));
        let (port, mut raiser) = (bench.port.clone(), bench.raiser());
        let written = Arc::clone(&data);
        let device = thread::spawn(move || {
            written.store(1, Relaxed);
            raise(&port, &mut raiser);
        });
        // Ready, but without the fence that comes before a retry: the slot alone
        // must carry the data to the one who unmasks.
        gate.open.store(true, Relaxed);
        bench.unmask();
        let early = harvest(&target).eq([0x31]);
        if early {
            assert_eq!(data.load(Relaxed), 1, "interrupt before its data");
        }
        device.join().unwrap();
        let mut own = bench.raiser();
        bench.port.retry(&own.enter(), 0);
        assert_ne!(early, harvest(&target).eq([0x31]), "delivered once in all");
    });
}

#[test]
fn loom_a_raise_that_met_a_kept_one_is_announced_by_whoever_takes_that() {
    loom::model(|| {
        let (mut bench, gate, target) = gated();
        let data = Arc::new(AtomicU64::new(0));
        let (port, mut raiser) = (bench.port.clone(), bench.raiser());
        let written = Arc::clone(&data);
        let device = thread::spawn(move || {
            let raised = port.raise(&raiser.enter(), 0, 0, None);
            let sent = matches!(raised, Raised::Sent(_));
            assert_eq!(sent, harvest(&target).eq([0x31]));
            sent.then(|| written.load(Relaxed))
        });
        data.store(1, Relaxed);
        let mut own = bench.raiser();
        let raised = bench.port.raise(&own.enter(), 0, 0, None);
        // Ready, but nobody retries: the other may find it so by itself.
        gate.open.store(true, Relaxed);
        let seen = device.join().unwrap();
        if let (Raised::Met, Some(seen)) = (raised, seen) {
            assert_eq!(seen, 1, "met an interrupt that came before its data");
        }
    });
}
