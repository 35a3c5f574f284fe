// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Stores grow while interrupts come: those that are there are not disturbed.

use std::thread;

use super::bench::{Bench, message};
use crate::domain::Raised;
use crate::sink::Acceptance;
use crate::store::context::ContextMemory;
use crate::store::engines::{Engines, Spread};
use crate::store::table::Table;
use crate::store::{CookieUse, Store};

const RAISES: usize = 2000;

fn grow_under_raises<S: Store>(store: S) {
    let mut bench = Bench::new(store);
    bench.unmasked(0, message(77));
    let (port, mut raiser) = (bench.port.clone(), bench.raiser());
    let device = thread::spawn(move || {
        for _ in 0..RAISES {
            let raised = port.raise(&raiser.enter(), 0, 0, None);
            assert_eq!(raised, Raised::Sent(Acceptance::Fresh));
        }
    });
    for index in 1..700 {
        bench.unmasked(index, message(index));
    }
    device.join().unwrap();
    assert_eq!(bench.taken(), [message(77); RAISES]);
    for index in 1..700 {
        let raised = bench.raise(index, 0, None);
        assert_eq!(raised, Raised::Sent(Acceptance::Fresh));
    }
    assert!(bench.taken().into_iter().eq((1..700).map(message)));
}

#[test]
fn a_table_grows_under_raises() {
    grow_under_raises(Table::new(u32::MAX, CookieUse::Opaque));
}

#[test]
fn engines_grow_under_raises() {
    for spread in [Spread::Distributed, Spread::Replicated] {
        grow_under_raises(Engines::new(3, u32::MAX, spread, CookieUse::Opaque));
    }
}

#[test]
fn context_memory_grows_under_raises() {
    for lines in [1, 7] {
        grow_under_raises(ContextMemory::new(lines, u32::MAX, CookieUse::Opaque));
    }
}
