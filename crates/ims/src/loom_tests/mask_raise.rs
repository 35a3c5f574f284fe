// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Mask against raise, unmask against raise, and a move that rewrites the slot.

use alloc::sync::Arc;
use loom::sync::atomic::AtomicU64;
use loom::sync::atomic::Ordering::Relaxed;
use loom::thread;

use super::bench::{Bench, Poster, descriptor, harvest, message, raise};
use crate::store::table::Table;
use crate::store::{CookieUse, Store};

fn table() -> Table {
    Table::new(1, CookieUse::Opaque)
}

#[test]
fn loom_a_raise_that_meets_a_mask_is_posted_or_pending_and_never_both() {
    loom::model(|| {
        let target = descriptor();
        let mut bench = Bench::unmasked(table(), Poster(Arc::clone(&target)), 0x31);
        let (port, mut raiser) = (bench.port.clone(), bench.raiser());
        bench.start(thread::spawn(move || raise(&port, &mut raiser)));
        bench.mask();
        bench.finish();
        let posted = harvest(&target).eq([0x31]);
        assert_ne!(posted, bench.port.is_pending(0));
        bench.unmask();
        assert_ne!(posted, harvest(&target).eq([0x31]), "delivered once in all");
    });
}

#[test]
fn loom_a_raise_that_meets_an_unmask_is_delivered_with_its_data() {
    loom::model(|| {
        let target = descriptor();
        let mut bench = Bench::new(table(), Poster(Arc::clone(&target)), 0x31);
        let data = Arc::new(AtomicU64::new(0));
        let (port, mut raiser) = (bench.port.clone(), bench.raiser());
        let written = Arc::clone(&data);
        let device = thread::spawn(move || {
            written.store(1, Relaxed);
            raise(&port, &mut raiser);
        });
        bench.unmask();
        let early = harvest(&target).eq([0x31]);
        if early {
            assert_eq!(data.load(Relaxed), 1, "interrupt before its data");
        }
        device.join().unwrap();
        assert_ne!(early, harvest(&target).eq([0x31]), "delivered once in all");
        assert!(!bench.port.is_pending(0));
    });
}

#[test]
fn loom_a_raise_that_meets_a_kept_one_brings_its_own_data() {
    loom::model(|| {
        let target = descriptor();
        let mut bench = Bench::new(table(), Poster(Arc::clone(&target)), 0x31);
        let mut own = bench.raiser();
        raise(&bench.port, &mut own);
        let data = Arc::new(AtomicU64::new(0));
        let (port, mut raiser) = (bench.port.clone(), bench.raiser());
        let written = Arc::clone(&data);
        let device = thread::spawn(move || {
            written.store(1, Relaxed);
            raise(&port, &mut raiser);
        });
        bench.unmask();
        assert!(harvest(&target).eq([0x31]), "the first raise was kept");
        let seen = data.load(Relaxed);
        device.join().unwrap();
        // Either the first interrupt showed the data, or there is a second one.
        assert!(
            seen == 1 || harvest(&target).eq([0x31]),
            "data without an interrupt"
        );
    });
}

#[test]
fn loom_a_rewritten_slot_sends_the_old_message_or_the_new_and_nothing_between() {
    loom::model(|| {
        let target = descriptor();
        let mut bench = Bench::unmasked(table(), Poster(Arc::clone(&target)), 0x31);
        let (port, mut raiser) = (bench.port.clone(), bench.raiser());
        bench.start(thread::spawn(move || raise(&port, &mut raiser)));
        bench.mask();
        bench.grace.wait();
        let early = harvest(&target).eq([0x31]);
        bench.store.program(0, message(0x42));
        bench.unmask();
        bench.finish();
        // Nobody holds the old message after the wait, so its vector stays quiet.
        assert_ne!(
            early,
            harvest(&target).eq([0x42]),
            "delivered once, old or new"
        );
    });
}

#[test]
fn loom_an_unmask_that_meets_a_rewrite_lets_nothing_torn_out_and_loses_nothing() {
    loom::model(|| {
        let target = descriptor();
        let mut bench = Bench::new(table(), Poster(Arc::clone(&target)), 0x31);
        let mut own = bench.raiser();
        raise(&bench.port, &mut own);
        let (port, mut raiser) = (bench.port.clone(), bench.raiser());
        bench.start(thread::spawn(move || port.unmask(&raiser.enter(), 0)));
        bench.store.freeze(0);
        bench.grace.wait();
        let early = harvest(&target).eq([0x31]);
        bench.store.program(0, message(0x42));
        bench.thaw();
        bench.finish();
        // Sent before the freeze, or with the new message; once.
        assert_ne!(
            early,
            harvest(&target).eq([0x42]),
            "delivered once, old or new"
        );
        assert!(!bench.port.is_pending(0));
    });
}
