// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Held back, kept, delivered once; and what is not allocated.

use super::bench::{control, guest, mask, message, program};
use crate::domain::{Counts, Raised};
use crate::guest::layout::MAX_SLOTS;
use crate::guest::{Port, Store, StoreError};
use crate::msix::{BarOffset, Msix, MsixConfig};
use crate::sink::{Acceptance, Refusal};

const SENT: Raised = Raised::Sent(Acceptance::Fresh);

#[test]
fn far_more_slots_than_msix_has_vectors_each_send_their_own_message() {
    let (mut store, sink) = guest(65_536);
    store.set_enabled(true);
    let port = store.port();
    for slot in (0..65_536).step_by(97).chain([65_535]) {
        program(&mut store, slot, message(slot), false);
        assert_eq!(port.raise(slot), SENT);
        assert_eq!(sink.taken(), [message(slot)]);
    }
    assert_eq!(port.count(), 65_536);
}

#[test]
fn a_slot_nobody_touched_reads_as_reset_and_takes_no_memory() {
    let (mut store, _) = guest(1000);
    store.set_enabled(true);
    let port = store.port();
    assert_eq!(control(&store, 999), 1);
    assert!(store.slot(999).unwrap().masked);
    assert_eq!(store.slot(1000), None);
    assert_eq!(port.counts(999), Some(Counts::default()));
    assert_eq!(port.counts(1000), None);
    assert!(!port.is_pending(999));
    assert_eq!(port.message(999), None);
    port.retry(999);
    assert_eq!(port.entries().touched().count(), 0);
}

#[test]
fn a_raise_before_the_guest_programs_the_slot_is_delivered_when_it_unmasks() {
    for enabled_first in [false, true] {
        let (mut store, sink) = guest(300);
        store.set_enabled(enabled_first);
        let port = store.port();
        assert_eq!(port.raise(256), Raised::Held);
        assert_eq!(port.raise(256), Raised::Met);
        assert_eq!(control(&store, 256), 3, "masked and pending");
        program(&mut store, 256, message(256), false);
        if !enabled_first {
            assert_eq!(sink.taken(), []);
            assert_eq!(control(&store, 256), 2);
            store.set_enabled(true);
        }
        assert_eq!(sink.taken(), [message(256)]);
        assert_eq!(control(&store, 256), 0);
        let counts = port.counts(256).unwrap();
        assert_eq!((counts.raised, counts.held, counts.coalesced), (2, 1, 1));
        assert!(counts.add_up(1));
    }
}

#[test]
fn pending_and_reserved_bits_cannot_be_written() {
    let (mut store, sink) = guest(2);
    store.set_enabled(true);
    store.write(28, &[0xff; 4]);
    assert_eq!(control(&store, 1), 1);
    store.write(28, &[0xfe; 4]);
    assert_eq!(control(&store, 1), 0);
    mask(&mut store, 1, true);
    let _ = store.port().raise(1);
    // Cleared by nobody but the delivery.
    store.write(28, &[1, 0, 0, 0]);
    assert_eq!(control(&store, 1), 3);
    assert_eq!(sink.taken(), []);
}

#[test]
fn a_disabled_store_keeps_what_is_raised_and_a_mask_outlives_it() {
    let (mut store, sink) = guest(130);
    let port = store.port();
    store.set_enabled(true);
    for slot in [0, 64, 129] {
        program(&mut store, slot, message(slot), slot == 64);
    }
    store.set_enabled(false);
    for slot in [0, 64, 129] {
        assert_eq!(port.raise(slot), Raised::Held);
    }
    store.set_enabled(true);
    assert_eq!(sink.taken(), [message(0), message(129)]);
    mask(&mut store, 64, false);
    assert_eq!(sink.taken(), [message(64)]);
}

#[test]
fn a_slot_that_does_not_exist_is_refused_and_counted() {
    let (store, sink) = guest(3);
    let port = store.port();
    for slot in [3, 64, u32::MAX] {
        assert_eq!(port.raise(slot), Raised::Refused(Refusal::NotAllocated));
    }
    assert_eq!(port.strays(), 3);
    assert_eq!(sink.taken(), []);
}

#[test]
fn what_lies_outside_reads_as_zero_and_cannot_be_written() {
    let (mut store, _) = guest(65);
    let before = store.save();
    for offset in [65 * 16, 128 * 16, 1 << 36, (1 << 36) + 12, u64::MAX - 2] {
        store.write(offset, &[0xff; 16]);
        let mut into = [0xaa; 16];
        store.read(offset, &mut into);
        assert_eq!(into, [0; 16]);
    }
    assert_eq!(store.save(), before);
}

#[test]
fn a_store_has_one_slot_at_least_and_no_more_than_its_directory() {
    let made = |slots| {
        Store::new(
            slots,
            super::bench::REQUESTER,
            super::bench::Recorder::default(),
        )
    };
    for asked in [0, MAX_SLOTS + 1, u32::MAX] {
        assert_eq!(made(asked).err(), Some(StoreError::Slots { asked }));
    }
    assert_eq!(made(MAX_SLOTS).unwrap().bytes(), 16 << 20);
}

#[test]
fn a_port_of_vectors_serves_whoever_counts_in_32_bits() {
    let config = MsixConfig {
        vectors: 2,
        table: BarOffset { bir: 0, offset: 0 },
        pba: BarOffset { bir: 1, offset: 0 },
    };
    let sink = super::bench::Recorder::default();
    let msix = Msix::new(config, super::bench::REQUESTER, &sink).unwrap();
    let port: Port<_> = msix.port().into();
    assert_eq!(port.raise(1), Raised::Held);
    assert!(msix.port().is_pending(1));
    assert_eq!(port.raise(0x1_0001), Raised::Refused(Refusal::NotAllocated));
}
