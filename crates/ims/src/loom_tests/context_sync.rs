// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Context sync against fetch.

use alloc::sync::Arc;
use loom::thread;

use super::bench::{Bench, Poster, descriptor, harvest, message, raise};
use crate::store::context::ContextMemory;
use crate::store::{CookieUse, Slots, Store};

fn bench(vector: u8, target: &Arc<crate::posted::Descriptor>) -> Bench<ContextMemory, Poster> {
    let store = ContextMemory::new(1, 2, CookieUse::Opaque);
    Bench::unmasked(store, Poster(Arc::clone(target)), vector)
}

#[test]
fn loom_no_stale_copy_is_used_or_left_in_the_cache_after_a_sync() {
    loom::model(|| {
        let target = descriptor();
        let mut bench = bench(0x31, &target);
        let (port, mut raiser) = (bench.port.clone(), bench.raiser());
        bench.start(thread::spawn(move || raise(&port, &mut raiser)));
        bench.store.program(0, message(0x42));
        bench.unmask();
        // The sync is over: the old vector is given to somebody else.
        let early = harvest(&target).filter(|&vector| vector == 0x31).count();
        let first = bench.port.slots().fetch(0, 0).unwrap();
        assert_eq!(first.message, message(0x42));
        bench.finish();
        assert!(
            harvest(&target).all(|vector| vector != 0x31),
            "sent from a stale copy"
        );
        let after = bench.port.slots().fetch(0, 0).unwrap();
        assert_eq!(after.message, message(0x42), "a stale copy was left behind");
        assert!(early <= 1);
    });
}

#[test]
fn loom_a_raise_that_meets_a_masking_sync_is_posted_or_pending() {
    loom::model(|| {
        let target = descriptor();
        let mut bench = bench(0x31, &target);
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
fn loom_two_fetches_that_share_a_line_never_mix_their_contexts() {
    loom::model(|| {
        let target = descriptor();
        let mut bench = bench(0x31, &target);
        bench.store.prepare(1, crate::store::Cookie(0)).unwrap();
        bench.store.program(1, message(0x42));
        bench.store.unmask(1, &mut bench.effects);
        bench.store.sync(&bench.grace, &mut bench.effects).unwrap();
        let slots = bench.store.slots();
        let other = slots.clone();
        let device = thread::spawn(move || other.fetch(0, 0).unwrap().message);
        assert_eq!(slots.fetch(1, 0).unwrap().message, message(0x42));
        assert_eq!(device.join().unwrap(), message(0x31));
        assert_eq!(slots.fetch(1, 0).unwrap().message, message(0x42));
    });
}

#[test]
fn loom_a_copy_read_while_its_line_is_filled_anew_is_whole_or_not_used() {
    loom::model(|| {
        let target = descriptor();
        let mut bench = bench(0x31, &target);
        bench.store.prepare(1, crate::store::Cookie(0)).unwrap();
        bench.store.program(1, message(0x42));
        bench.store.unmask(1, &mut bench.effects);
        bench.store.sync(&bench.grace, &mut bench.effects).unwrap();
        let slots = bench.store.slots();
        assert_eq!(slots.fetch(0, 0).unwrap().message, message(0x31));
        // Its copy is in the only line now, and goes for the other's.
        let other = slots.clone();
        let reader = thread::spawn(move || other.fetch(0, 0).unwrap().message);
        assert_eq!(slots.fetch(1, 0).unwrap().message, message(0x42));
        assert_eq!(reader.join().unwrap(), message(0x31));
    });
}
