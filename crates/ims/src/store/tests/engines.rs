// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where engines keep slots, and what several copies of one come to.

use super::bench::{Bench, message};
use crate::domain::Raised;
use crate::sink::{Acceptance, Refusal};
use crate::store::engines::{Engines, Spread};
use crate::store::{Cookie, CookieUse, Effects, Slots, Store, StoreError};

const FRESH: Raised = Raised::Sent(Acceptance::Fresh);

fn engines(spread: Spread) -> Engines {
    Engines::new(3, 12, spread, CookieUse::Opaque)
}

#[test]
fn a_distributed_slot_is_in_one_engine_whichever_raises() {
    let mut store = engines(Spread::Distributed);
    // Slot 7 is the third of engine 1: it alone grows.
    store.prepare(7, Cookie(0)).unwrap();
    store.program(7, message(7));
    let slots = store.slots();
    assert_eq!(slots.copies(), 1);
    for engine in 0..5 {
        assert_eq!(slots.slot(7, engine).unwrap().load().message, message(7));
    }
    for index in [1, 4] {
        assert!(
            slots.slot(index, 0).is_some(),
            "engine 1 has grown to three"
        );
    }
    for index in [0, 2, 3, 5, 6, 8] {
        assert!(
            slots.slot(index, 0).is_none(),
            "slot {index} is another engine's"
        );
    }
}

#[test]
fn a_replicated_write_is_in_every_copy_when_it_returns() {
    let mut store = engines(Spread::Replicated);
    let slots = store.slots();
    let mut effects = Effects::default();
    store.prepare(5, Cookie(0)).unwrap();
    store.program(5, message(8));
    let all = |sends: bool| {
        (0..3).all(|engine| {
            let contents = slots.fetch(5, engine).unwrap();
            contents.message == message(8) && contents.sends() == sends
        })
    };
    assert_eq!(slots.copies(), 3);
    assert!(all(false));
    store.unmask(5, &mut effects);
    assert!(all(true));
    store.mask(5);
    assert!(all(false));
    assert!(slots.slot(5, 3).is_none(), "there is no fourth engine");
}

#[test]
fn an_engine_raises_from_its_own_copy() {
    let mut bench = Bench::new(engines(Spread::Replicated));
    bench.unmasked(0, message(1));
    // Only engine 2's copy is masked: only its raises are kept.
    bench.port.slots().slot(0, 2).unwrap().mask();
    assert_eq!(bench.raise(0, 0, None), FRESH);
    assert_eq!(bench.raise(0, 1, None), FRESH);
    assert_eq!(bench.raise(0, 2, None), Raised::Held);
    assert_eq!(bench.taken(), [message(1), message(1)]);
    let refused = Raised::Refused(Refusal::NotAllocated);
    assert_eq!(bench.raise(0, 3, None), refused);
    assert_eq!(bench.port.strays(), 1);
}

#[test]
fn raises_kept_in_several_copies_are_delivered_once_and_the_rest_counted_as_met() {
    for by_port in [false, true] {
        let mut bench = Bench::new(engines(Spread::Replicated));
        bench.unmasked(0, message(1));
        bench.port.mask(0);
        for engine in 0..3 {
            assert_eq!(bench.raise(0, engine, None), Raised::Held);
        }
        if by_port {
            let mut raiser = bench.raiser();
            bench.port.unmask(&raiser.enter(), 0);
        } else {
            bench.unmask(0);
            bench.sync().unwrap();
        }
        assert_eq!(bench.taken(), [message(1)]);
        let counts = bench.port.counts(0).unwrap();
        assert_eq!((counts.raised, counts.held, counts.coalesced), (3, 3, 2));
        assert!(!bench.port.is_pending(0));
    }
}

#[test]
fn raises_kept_in_several_copies_are_dropped_once_when_the_slot_is_cleared() {
    let mut bench = Bench::new(engines(Spread::Replicated));
    bench.unmasked(0, message(1));
    bench.port.mask(0);
    for engine in 0..3 {
        assert_eq!(bench.raise(0, engine, None), Raised::Held);
    }
    bench.clear(0);
    bench.sync().unwrap();
    let counts = bench.port.counts(0).unwrap();
    assert_eq!((counts.raised, counts.dropped, counts.coalesced), (3, 1, 2));
    assert!(bench.taken().is_empty());
}

#[test]
fn a_slot_beyond_the_limit_is_refused_in_either_spread() {
    for spread in [Spread::Distributed, Spread::Replicated] {
        let refused = StoreError::OutOfRange {
            index: 12,
            limit: 12,
        };
        assert_eq!(engines(spread).prepare(12, Cookie(0)), Err(refused));
    }
}
