// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Unmask against several others: two raisers, or a mask and another unmask.

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
fn loom_two_raises_that_meet_an_unmask_are_each_announced() {
    loom::model(|| {
        let target = descriptor();
        let mut bench = Bench::new(table(), Poster(Arc::clone(&target)), 0x31);
        let data = Arc::new(AtomicU64::new(0));
        let devices = [1, 0x100].map(|amount| {
            let (port, mut raiser) = (bench.port.clone(), bench.raiser());
            let written = Arc::clone(&data);
            thread::spawn(move || {
                written.fetch_add(amount, Relaxed);
                raise(&port, &mut raiser);
            })
        });
        bench.unmask();
        let early = harvest(&target).eq([0x31]);
        let seen = data.load(Relaxed);
        for device in devices {
            device.join().unwrap();
        }
        let late = harvest(&target).eq([0x31]);
        assert!(early || late, "both lost");
        // Whoever is not announced by a second interrupt met the first in time.
        assert!(late || seen == 0x101, "data without an interrupt");
        assert!(!bench.port.is_pending(0));
    });
}

#[test]
fn loom_a_slot_unmasked_while_a_raise_comes_sends_the_message_it_was_given_last() {
    loom::model(|| {
        let target = descriptor();
        let mut bench = Bench::new(table(), Poster(Arc::clone(&target)), 0x31);
        let (port, mut raiser) = (bench.port.clone(), bench.raiser());
        let device = thread::spawn(move || raise(&port, &mut raiser));
        // Masked from the start: nobody can have read the first message to send it.
        bench.store.program(0, message(0x42));
        bench.unmask();
        device.join().unwrap();
        assert!(
            harvest(&target).eq([0x42]),
            "not the message it was given last"
        );
    });
}

#[test]
fn loom_a_kept_raise_is_delivered_once_however_masks_and_unmasks_meet() {
    loom::model(|| {
        let target = descriptor();
        let mut bench = Bench::new(table(), Poster(Arc::clone(&target)), 0x31);
        let mut own = bench.raiser();
        raise(&bench.port, &mut own);
        let (port, mut other) = (bench.port.clone(), bench.raiser());
        let guest = thread::spawn(move || {
            port.mask(0);
            port.unmask(&other.enter(), 0);
        });
        bench.port.unmask(&own.enter(), 0);
        guest.join().unwrap();
        assert!(harvest(&target).eq([0x31]), "lost between two unmasks");
        assert!(!bench.port.is_pending(0), "kept though nobody masks it");
    });
}
