// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Delta records: made, applied, and made up by a hostile guest.
use zerocopy::IntoBytes;
use zerocopy::little_endian::U16;

use super::*;
use crate::layout::{DELTA_ENTRY_SIZE, DeltaEntry};

const FIRST: u64 = 0;
const SECOND: u64 = 4 * PAGE;
const RECORD: u64 = 8 * PAGE;

fn create(size: u32, room: u32) -> Descriptor {
    Descriptor {
        extra: U64::new(RECORD),
        seed_address: U64::new(room.into()),
        ..transfer(Opcode::CreateDelta, 0, FIRST, SECOND, size)
    }
}

fn apply(delta_size: usize, to: u64, size: u32) -> Descriptor {
    Descriptor {
        extra: U64::new(delta_size as u64),
        ..transfer(Opcode::ApplyDelta, 0, RECORD, to, size)
    }
}

fn run(space: &Paged, descriptor: &Descriptor) -> Outcome {
    let opcode = Opcode::from_code(descriptor.opcode()).unwrap();
    execute(opcode, descriptor, space)
}

/// What a delta record of two stretches of memory is.
fn reference(first: &[u8], second: &[u8]) -> Vec<DeltaEntry> {
    let words = first.chunks(8).zip(second.chunks(8)).enumerate();
    words
        .filter(|(_, (a, b))| a != b)
        .map(|(at, (_, b))| DeltaEntry {
            offset: U16::new(at as u16),
            data: b.try_into().unwrap(),
        })
        .collect()
}

/// Two stretches alike but for some words.
fn sources() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    (1..2048usize, any::<u64>()).prop_flat_map(|(words, seed)| {
        let first: Vec<u8> = (0..words * 8)
            .map(|at| (seed.wrapping_mul(at as u64 | 1) >> 32) as u8)
            .collect();
        let changes = prop::collection::vec((0..words * 8, 1..=255u8), 0..200);
        (Just(first), changes).prop_map(|(first, changes)| {
            let mut second = first.clone();
            for (at, by) in changes {
                second[at] ^= by;
            }
            (first, second)
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn applying_what_was_created_makes_the_first_the_second(
        (first, second) in sources(), granule in prop::sample::select(vec![1, 24, 64, PAGE]),
    ) {
        let size = first.len() as u32;
        let space = Paged { granule, ..Paged::new(PAGES) };
        space.put(FIRST, &first);
        space.put(SECOND, &second);
        let created = run(&space, &create(size, 8 * PAGE as u32));
        let expected = reference(&first, &second);
        let bytes = expected.as_bytes().len();
        prop_assert_eq!(created.status, Status::Success);
        prop_assert_eq!(created.result, u8::from(first != second));
        prop_assert_eq!((created.value, created.completed), (bytes as u64, 0));
        prop_assert_eq!(&space.get(RECORD, bytes), &expected.as_bytes());
        prop_assert_eq!(space.get(RECORD + bytes as u64, 64), [0; 64]);
        if bytes > 0 {
            let applied = run(&space, &apply(bytes, FIRST, size));
            prop_assert_eq!(applied, Outcome::done(bytes as u32));
        }
        prop_assert_eq!(space.get(FIRST, first.len()), second);
    }

    #[test]
    fn a_record_that_is_full_says_so_and_where(
        (first, second) in sources(), room in 80u32..600,
    ) {
        let space = Paged::new(PAGES);
        space.put(FIRST, &first);
        space.put(SECOND, &second);
        let outcome = run(&space, &create(first.len() as u32, room));
        let expected = reference(&first, &second);
        let fit = (room as usize / DELTA_ENTRY_SIZE).min(expected.len());
        let record = expected[..fit].as_bytes();
        prop_assert_eq!(outcome.value, record.len() as u64);
        prop_assert_eq!(space.get(RECORD, record.len()), record);
        // Not a byte beyond.
        prop_assert_eq!(space.get(RECORD + record.len() as u64, 64), [0; 64]);
        if let Some(next) = expected.get(fit) {
            prop_assert_eq!((outcome.status, outcome.result), (Status::Success, 2));
            prop_assert_eq!(outcome.completed, u32::from(next.offset.get()) * 8);
        } else {
            prop_assert_eq!(outcome.result, u8::from(fit > 0));
            prop_assert_eq!(outcome.completed, 0);
        }
    }

    #[test]
    fn creating_stops_at_the_first_word_it_cannot_compare_or_record(
        (first, second) in sources(),
        missing in prop::collection::hash_set(prop::sample::select(vec![0, 1, 2, 3, 4, 5, 6, 7, 8, 9]), 0..3),
        granule in prop::sample::select(vec![8, 64, PAGE]),
        // The record crosses from page 8 to page 9 where there are changes enough.
        back in (1..100u64).prop_map(|words| words * 8),
    ) {
        let size = first.len() as u32;
        let space = Paged::new(PAGES);
        space.put(FIRST, &first);
        space.put(SECOND, &second);
        let space = Paged { missing, granule, ..space };
        let record = 9 * PAGE - back;
        let descriptor = Descriptor { extra: U64::new(record), ..create(size, 4 * PAGE as u32) };
        let outcome = run(&space, &descriptor);
        let expected = reference(&first, &second);
        let buffers = [(FIRST, Access::Read), (SECOND, Access::Read)];
        let unread = first_fault(&space, size, &buffers).map_or(size, |(at, ..)| at);
        let fits = |index: usize| (0..DELTA_ENTRY_SIZE)
            .all(|byte| allowed(&space, record + (index * 10 + byte) as u64, Access::Write));
        let recorded = expected.iter().enumerate()
            .take_while(|(index, entry)| u32::from(entry.offset.get()) * 8 < unread && fits(*index))
            .count();
        let unrecorded = expected.get(recorded).map_or(size, |entry| u32::from(entry.offset.get()) * 8);
        prop_assert_eq!(outcome.value as usize, recorded * DELTA_ENTRY_SIZE);
        let stops = unread.min(unrecorded);
        if stops < size {
            prop_assert_eq!((outcome.status, outcome.completed), (Status::PageFault, stops));
            let fault = outcome.fault.unwrap();
            prop_assert!(!allowed(&space, fault.address, fault.access));
            prop_assert_eq!(fault.access == Access::Write, unrecorded < unread);
        } else {
            prop_assert_eq!(outcome.status, Status::Success);
        }
        let bytes = expected[..recorded].as_bytes();
        prop_assert_eq!(space.get(record, bytes.len()), bytes);
        prop_assert_eq!(space.get(record + bytes.len() as u64, 64), [0; 64]);
    }

    #[test]
    fn no_made_up_record_writes_outside_its_transfer(
        entries in prop::collection::vec((any::<u16>(), any::<[u8; 8]>()), 1..400),
        near in prop::option::of(0u16..128),
        ascending: bool, words in 1u32..2000, to in 0..PAGE,
    ) {
        let mut entries: Vec<DeltaEntry> = entries.into_iter().map(|(offset, data)| DeltaEntry {
            offset: U16::new(near.map_or(offset, |by| offset % 2048 / (by + 1))),
            data,
        }).collect();
        if ascending {
            entries.sort_by_key(|entry| entry.offset.get());
            entries.dedup_by_key(|entry| entry.offset.get());
        }
        let (space, to) = (Paged::new(PAGES), to * 8 % (3 * PAGE));
        space.put(RECORD, entries.as_bytes());
        let mut model = space.get(0, SIZE);
        let outcome = run(&space, &apply(entries.as_bytes().len(), to, words * 8));
        let mut least = 0;
        let mut status = Status::Success;
        let mut done = 0;
        for entry in &entries {
            let offset = u32::from(entry.offset.get());
            if offset < least || offset >= words {
                status = if offset < least { Status::DeltaOrder } else { Status::DeltaRange };
                break;
            }
            let at = to as usize + offset as usize * 8;
            model[at..at + 8].copy_from_slice(&entry.data);
            least = offset + 1;
            done += DELTA_ENTRY_SIZE as u32;
        }
        prop_assert_eq!(outcome.status, status);
        let told = if status == Status::Success { 0 } else { done };
        prop_assert_eq!((outcome.completed, outcome.bytes), (told, u64::from(done)));
        prop_assert_eq!(space.get(0, SIZE), model);
    }

    #[test]
    fn applying_stops_at_the_first_entry_it_cannot_read_or_write(
        offsets in prop::collection::btree_set(0u16..2048, 1..600),
        missing in prop::collection::hash_set(prop::sample::select(vec![0, 1, 2, 3, 8, 9]), 0..3),
        granule in prop::sample::select(vec![1, 64, PAGE]),
    ) {
        let entries: Vec<DeltaEntry> = offsets.into_iter()
            .map(|offset| DeltaEntry { offset: U16::new(offset), data: [offset as u8 | 1; 8] })
            .collect();
        let space = Paged::new(PAGES);
        space.put(RECORD, entries.as_bytes());
        let mut model = space.get(0, SIZE);
        let space = Paged { missing, granule, ..space };
        let outcome = run(&space, &apply(entries.as_bytes().len(), FIRST, 4 * PAGE as u32));
        let usable = |(index, entry): &(usize, &DeltaEntry)| {
            let read = (0..10).all(|b| allowed(&space, RECORD + (index * 10 + b) as u64, Access::Read));
            read && allowed(&space, u64::from(entry.offset.get()) * 8, Access::Write)
        };
        let done = entries.iter().enumerate().take_while(usable).count();
        for entry in &entries[..done] {
            let at = usize::from(entry.offset.get()) * 8;
            model[at..at + 8].copy_from_slice(&entry.data);
        }
        if done < entries.len() {
            let fault = outcome.fault.unwrap();
            prop_assert_eq!(outcome.completed as usize, done * DELTA_ENTRY_SIZE);
            prop_assert!(!allowed(&space, fault.address, fault.access));
        } else {
            prop_assert_eq!(outcome.status, Status::Success);
        }
        prop_assert_eq!(space.get(0, SIZE), model);
    }
}

#[test]
fn the_first_offset_beyond_the_transfer_is_refused() {
    for (offset, status) in [(7, Status::Success), (8, Status::DeltaRange)] {
        let space = Paged::new(PAGES);
        let entry = DeltaEntry {
            offset: U16::new(offset),
            data: [1; 8],
        };
        space.put(RECORD, entry.as_bytes());
        assert_eq!(run(&space, &apply(10, FIRST, 64)).status, status);
        assert_eq!(space.get(FIRST + 64, 8), [0; 8]);
    }
}

#[test]
fn the_last_word_of_the_largest_transfer_has_an_offset() {
    let size = crate::layout::MAX_DELTA_TRANSFER;
    let (second, record) = (u64::from(size), 2 * u64::from(size));
    let space = Paged::new(record / PAGE + 1);
    space.put(second + u64::from(size) - 8, &[7; 8]);
    let descriptor = Descriptor {
        extra: U64::new(record),
        seed_address: U64::new(80),
        ..transfer(Opcode::CreateDelta, 0, 0, second, size)
    };
    let outcome = execute(Opcode::CreateDelta, &descriptor, &space);
    assert_eq!((outcome.result, outcome.value), (1, 10));
    assert_eq!(space.get(record, 10), [0xff, 0xff, 7, 7, 7, 7, 7, 7, 7, 7]);
}

#[test]
fn the_result_is_judged_by_its_bit_of_the_mask() {
    let space = Paged::new(PAGES);
    let judged = |changed: usize, mask: u64| {
        space.put(SECOND, &[0; 128]);
        space.put(SECOND, &vec![1; changed * 8]);
        let checked = with_flags(create(128, 80), Flags::CHECK_RESULT);
        let outcome = run(
            &space,
            &Descriptor {
                tail: U64::new(mask),
                ..checked
            },
        );
        (outcome.result, outcome.status)
    };
    for (changed, result) in [(0, 0u8), (1, 1), (8, 1), (9, 2)] {
        for mask in 0..8u64 {
            let expected = if mask >> result & 1 == 1 {
                Status::Success
            } else {
                Status::FalsePredicate
            };
            assert_eq!(
                judged(changed, mask),
                (result, expected),
                "{changed} {mask:#b}"
            );
        }
    }
}

#[test]
fn a_delta_does_not_wrap_round_the_end_of_the_address_space() {
    let space = Paged::new(PAGES);
    space.put(
        RECORD,
        DeltaEntry {
            offset: U16::new(1),
            data: [1; 8],
        }
        .as_bytes(),
    );
    let outcome = run(&space, &apply(10, u64::MAX - 7, 64));
    assert_eq!(outcome.status, Status::PageFault);
    assert_eq!(space.get(0, 64), [0; 64]);
    space.put(SECOND, &[1; 64]);
    let descriptor = Descriptor {
        extra: U64::new(u64::MAX - 7),
        ..create(64, 80)
    };
    assert_eq!(run(&space, &descriptor).status, Status::PageFault);
    assert_eq!(space.get(0, 64), [0; 64]);
}
