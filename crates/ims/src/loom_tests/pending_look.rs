// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A look at a pending bit against raise: who sees the bit sees the data.

use alloc::sync::Arc;
use alloc::vec::Vec;
use loom::sync::atomic::AtomicU64;
use loom::sync::atomic::Ordering::Relaxed;
use loom::thread;

use super::bench::{Bench, Poster, descriptor, raise};
use crate::store::layout::PENDING;
use crate::store::table::{Region, Table, read_bytes};
use crate::store::{CookieUse, Store};

type Words = Arc<[AtomicU64]>;

/// Raises a masked slot while `looks` looks for its pending bit.
fn polled(looks: impl Fn(&Bench<Table<Region<Words>>, Poster>, &Words) -> bool) {
    let words: Words = (0..2).map(|_| AtomicU64::new(0)).collect::<Vec<_>>().into();
    let region = Region::new(Arc::clone(&words), 0, 1).unwrap();
    let table = Table::over(region, CookieUse::Opaque);
    assert_eq!(table.limit(), 1);
    let mut bench = Bench::new(table, Poster(descriptor()), 0x31);
    let data = Arc::new(AtomicU64::new(0));
    let (port, mut raiser) = (bench.port.clone(), bench.raiser());
    let written = Arc::clone(&data);
    let device = thread::spawn(move || {
        written.store(1, Relaxed);
        raise(&port, &mut raiser);
    });
    if looks(&bench, &words) {
        assert_eq!(data.load(Relaxed), 1, "pending before its data");
    }
    device.join().unwrap();
    assert!(looks(&bench, &words), "kept, and seen");
}

#[test]
fn loom_who_sees_a_raise_pending_sees_its_data() {
    loom::model(|| polled(|bench, _| bench.port.is_pending(0)));
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
