// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Free and reuse against raise.

use alloc::sync::Arc;
use loom::sync::atomic::AtomicU64;
use loom::sync::atomic::Ordering::Relaxed;
use loom::thread;

use super::bench::{Bench, Poster, descriptor, harvest, message, raise};
use crate::grace::Grace;
use crate::store::table::Table;
use crate::store::{Cookie, CookieUse, Store};

#[test]
fn loom_nothing_reaches_a_freed_vector_after_the_wait_nor_a_new_owner_from_an_old_raise() {
    loom::model(|| {
        let target = descriptor();
        let table = Table::new(1, CookieUse::Opaque);
        let mut bench = Bench::unmasked(table, Poster(Arc::clone(&target)), 0x31);
        let (port, mut raiser) = (bench.port.clone(), bench.raiser());
        bench.start(thread::spawn(move || raise(&port, &mut raiser)));

        bench.port.close(0);
        bench.store.clear(0, &mut bench.effects);
        bench.grace.wait();
        // The vector is given to somebody else here: what was on its way is there.
        let early = harvest(&target);
        bench.store.release(0);
        bench.store.prepare(0, Cookie(0)).unwrap();
        bench.store.program(0, message(0x42));
        bench.port.open(0);
        bench.unmask();

        bench.finish();
        let late = harvest(&target);
        assert!(
            late.is_empty() || late.eq([0x42]),
            "an old raise at a vector given away"
        );
        assert!(
            early.is_empty() || late.is_empty(),
            "one raise, two interrupts"
        );
    });
}

#[test]
fn loom_one_who_is_seen_to_have_left_did_everything_before() {
    loom::model(|| {
        let mut grace = Grace::new();
        let mut raiser = grace.raiser();
        let done = Arc::new(AtomicU64::new(0));
        let doing = Arc::clone(&done);
        let device = thread::spawn(move || {
            let _flight = raiser.enter();
            doing.store(1, Relaxed);
        });
        let mut ticket = grace.ticket();
        if !ticket.is_empty() && ticket.has_passed() {
            assert_eq!(done.load(Relaxed), 1, "seen to leave before it was done");
        }
        device.join().unwrap();
    });
}
