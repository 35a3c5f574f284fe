// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Slots laid over part of a region that a guest reads bytes of.

use std::vec::Vec;

use alloc::sync::Arc;
use proptest::prelude::*;

use crate::message::Message;
use crate::store::layout::{IGNORE, MASK, PASID_ENABLE, PASID_SHIFT, PENDING, SLOT_BYTES};
use crate::store::table::{Region, Table, read_bytes};
use crate::store::{Cookie, CookieUse, Effects, Slots, Store, StoreError};
use crate::sync::{AtomicU64, Ordering};

/// What is in the region where no slot is.
const BESIDE: u64 = 0xa5a5_a5a5_a5a5_a5a5;
const PASID: u32 = 0xf_edcb;
const MESSAGE: Message = Message {
    address: 0x0102_0304_0506_0708,
    data: 0x1112_1314,
};

type Words = Arc<[AtomicU64]>;

fn words(count: usize) -> Words {
    (0..count)
        .map(|_| AtomicU64::new(BESIDE))
        .collect::<Vec<_>>()
        .into()
}

fn over(words: &Words, offset: u64, slots: u32) -> Table<Region<Words>> {
    let region = Region::new(Arc::clone(words), offset, slots).unwrap();
    Table::over(region, CookieUse::Pasid)
}

/// All of the region as a guest reads it, a byte at a time.
fn bytes(words: &Words) -> Vec<u8> {
    let all = 0..words.len() as u64 * 8;
    all.map(|offset| {
        let mut byte = [0];
        read_bytes(words, offset, &mut byte);
        byte[0]
    })
    .collect()
}

fn control(bytes: &[u8], slot: usize) -> u32 {
    let at = slot + 12;
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

#[test]
fn a_guest_reads_address_data_and_control_at_their_places() {
    let words = words(11);
    let mut table = over(&words, 24, 2);
    let mut effects = Effects::default();
    table.prepare(1, Cookie(PASID.into())).unwrap();
    table.program(1, MESSAGE);
    let owner = PASID_ENABLE | PASID << PASID_SHIFT;
    let slot = 24 + 16;
    let seen = bytes(&words);
    assert_eq!(seen[slot..slot + 8], [8, 7, 6, 5, 4, 3, 2, 1]);
    assert_eq!(seen[slot + 8..slot + 12], [0x14, 0x13, 0x12, 0x11]);
    assert_eq!(control(&seen, slot), owner | MASK);
    // Control changes at +12; data at +8 stays what it is.
    let _ = table.slots().slot(1, 0).unwrap().hold();
    assert_eq!(control(&bytes(&words), slot), owner | MASK | PENDING);
    table.unmask(1, &mut effects);
    assert_eq!(effects.replay, [1]);
    let seen = bytes(&words);
    assert_eq!(control(&seen, slot), owner);
    assert_eq!(seen[slot + 8..slot + 12], [0x14, 0x13, 0x12, 0x11]);
    table.clear(1, &mut effects);
    assert_eq!(control(&bytes(&words), slot), MASK | IGNORE);
    table.release(1);
    let seen = bytes(&words);
    assert_eq!(seen[slot..slot + 12], [0; 12]);
    assert_eq!(control(&seen, slot), MASK | IGNORE);
    // The other slot was nobody's all the time.
    assert_eq!(control(&seen, 24), MASK | IGNORE);
}

#[test]
fn a_region_that_slots_do_not_fit_is_refused_and_left_alone() {
    for (offset, slots) in [
        (0, 6),
        (16, 5),
        (80, 1),
        (4, 1),
        (7, 0),
        (96, 0),
        (u64::MAX - 7, 1),
        (8, u32::MAX),
    ] {
        let words = words(11);
        let refused = StoreError::Region {
            offset,
            slots,
            bytes: 88,
        };
        let region = Region::new(Arc::clone(&words), offset, slots);
        assert_eq!(region.err(), Some(refused));
        assert!(
            words
                .iter()
                .all(|word| word.load(Ordering::Relaxed) == BESIDE)
        );
    }
}

#[test]
fn slots_may_fill_a_region_to_its_end() {
    let words = words(11);
    let mut table = over(&words, 8, 5);
    assert_eq!(table.limit(), 5);
    assert_eq!(table.prepare(4, Cookie(1)), Ok(()));
    let refused = StoreError::OutOfRange { index: 5, limit: 5 };
    assert_eq!(table.prepare(5, Cookie(1)), Err(refused));
}

#[test]
fn a_cookie_that_is_no_pasid_is_refused_and_the_slot_stays_nobodys() {
    let words = words(4);
    let mut table = over(&words, 8, 1);
    let cookie = 1 << 20;
    let refused = StoreError::NotAPasid { cookie };
    assert_eq!(table.prepare(0, Cookie(cookie)), Err(refused));
    assert_eq!(control(&bytes(&words), 8), MASK | IGNORE);
}

proptest! {
    #[test]
    fn a_read_of_any_length_anywhere_is_the_bytes_one_by_one(
        contents in prop::collection::vec(any::<u64>(), 0..9),
        offset in 0u64..80,
        length in 0usize..40,
    ) {
        let flat: Vec<u8> = contents.iter().flat_map(|word| word.to_le_bytes()).collect();
        let words: Vec<AtomicU64> = contents.into_iter().map(AtomicU64::new).collect();
        let mut read = vec![0xee; length];
        read_bytes(&words, offset, &mut read);
        for (at, byte) in (offset..).zip(read) {
            let expected = usize::try_from(at).ok().and_then(|at| flat.get(at));
            prop_assert_eq!(byte, expected.copied().unwrap_or(0));
        }
    }

    #[test]
    fn nothing_outside_the_slots_is_ever_written(
        before in 0usize..5,
        slots in 0u32..6,
        after in 0usize..4,
        ops in prop::collection::vec((0u32..8, 0u8..8, any::<u64>(), any::<u32>()), 0..60),
    ) {
        let last = before + slots as usize * 2;
        let words = words(last + after);
        let mut table = over(&words, before as u64 * 8, slots);
        let mut effects = Effects::default();
        for (index, op, address, data) in ops {
            match op {
                0 | 1 => prop_assert_eq!(table.prepare(index, Cookie(7)).is_ok(), index < slots),
                2 => table.program(index, Message { address, data }),
                3 => table.mask(index),
                4 => table.unmask(index, &mut effects),
                5 => table.clear(index, &mut effects),
                6 => table.release(index),
                _ => {
                    let _ = table.slots().slot(index, 0).map(|slot| slot.hold());
                }
            }
        }
        let beside = words.iter().take(before).chain(words.iter().skip(last));
        prop_assert!(beside.map(|word| word.load(Ordering::Relaxed)).all(|word| word == BESIDE));
        prop_assert_eq!((last - before) * 8, slots as usize * SLOT_BYTES as usize);
    }
}

#[test]
fn a_read_past_the_end_of_all_offsets_reads_zero() {
    let words = words(1);
    let mut read = [0xee; 4];
    read_bytes(&words, u64::MAX - 4, &mut read);
    assert_eq!(read, [0; 4]);
}
