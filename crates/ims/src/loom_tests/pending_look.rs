// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A look at a pending bit against raise: who sees the bit sees the data.

use alloc::sync::Arc;
use alloc::vec::Vec;
use loom::sync::atomic::AtomicU64;
use loom::sync::atomic::Ordering::Relaxed;
use loom::thread;

use super::bench::{Bench, Poster, descriptor, raise};
use crate::domain::Port;
use crate::store::CookieUse;
use crate::store::layout::PENDING;
use crate::store::table::{Region, Table, TableSlots, read_bytes};

type Words = Arc<[AtomicU64]>;
type Overlay = Port<TableSlots<Region<Words>>, Poster>;

/// Raises a masked slot while another thread looks for its pending bit.
fn polled(looks: fn(&Overlay, &Words) -> bool) {
    let words: Words = (0..2).map(|_| AtomicU64::new(0)).collect::<Vec<_>>().into();
    let region = Region::new(Arc::clone(&words), 0, 1).unwrap();
    let table = Table::over(region, CookieUse::Opaque);
    let mut bench = Bench::new(table, Poster(descriptor()), 0x31);
    let data = Arc::new(AtomicU64::new(0));
    let (port, seen, written) = (bench.port.clone(), Arc::clone(&words), Arc::clone(&data));
    let poller = thread::spawn(move || {
        if looks(&port, &seen) {
            assert_eq!(written.load(Relaxed), 1, "pending before its data");
        }
    });
    data.store(1, Relaxed);
    let mut own = bench.raiser();
    raise(&bench.port, &mut own);
    poller.join().unwrap();
    assert!(looks(&bench.port, &words), "kept, and seen");
}

#[test]
fn loom_who_sees_a_raise_pending_sees_its_data() {
    loom::model(|| polled(|port, _| port.is_pending(0)));
}

#[test]
fn loom_a_guest_that_reads_the_pending_bit_sees_the_data() {
    loom::model(|| {
        polled(|_, words| {
            let mut control = [0; 4];
            read_bytes(words, 12, &mut control);
            u32::from_le_bytes(control) & PENDING != 0
        });
    });
}
