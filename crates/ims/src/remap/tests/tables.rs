// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What both tables promise, and what each alone.

use crate::remap::*;

/// Fixed delivery of vector 41h to APIC id 2 for requester 00:05.0.
const ENTRY: u128 = 0x4_0028 << 64 | 2 << 32 | 0x41 << 16 | 1;
const FPD: u128 = layout::FAULT_PROCESSING_DISABLED;

fn keeps_entries(memory: impl EntryMemory) {
    assert_eq!(memory.limit(), 256);
    assert!(memory.grow(256).unwrap() == 256);
    assert_eq!(memory.grow(257), Err(TableError::Full { limit: 256 }));
    for handle in 0..256 {
        assert_eq!(memory.read(handle), Some(0));
        memory
            .write(handle, ENTRY + (u128::from(handle) << 32))
            .unwrap();
    }
    for handle in 0..256 {
        let entry = ENTRY + (u128::from(handle) << 32);
        assert_eq!(memory.read(handle), Some(entry));
        // Retargeted, hidden, cleared, and another's.
        for next in [entry ^ 0xff << 16, entry | FPD, FPD, 0, entry ^ 0x13 << 64] {
            memory.write(handle, next).unwrap();
            assert_eq!(memory.read(handle), Some(next));
        }
    }
    assert_eq!(memory.read(256), None);
    assert_eq!(
        memory.write(256, ENTRY),
        Err(TableError::NoSuchEntry { handle: 256 })
    );
}

#[test]
fn a_pair_table_keeps_entries() {
    keeps_entries(PairTable::new(256));
}

#[test]
fn a_whole_table_keeps_entries() {
    keeps_entries(WholeTable::boxed(256).unwrap());
}

#[test]
fn a_pair_table_takes_memory_only_as_it_grows() {
    let table = PairTable::new(u32::MAX);
    assert_eq!(table.limit(), layout::MAX_ENTRIES);
    assert_eq!(table.read(65_535), Some(0));
    assert_eq!(
        table.write(0, ENTRY),
        Err(TableError::NoSuchEntry { handle: 0 })
    );
    let room = table.grow(100).unwrap();
    assert!((100..200).contains(&room), "{room}");
    table.write(room - 1, ENTRY).unwrap();
    assert!(table.write(room, ENTRY).is_err());
}

#[test]
fn a_pair_table_changes_no_upper_half_under_a_present_entry() {
    let table = PairTable::new(2);
    table.grow(2).unwrap();
    table.write(0, ENTRY).unwrap();
    let stolen = ENTRY ^ 1 << 64;
    assert_eq!(
        table.write(0, stolen),
        Err(TableError::UpperHalfLive { handle: 0 })
    );
    assert_eq!(table.read(0), Some(ENTRY));
    table.write(0, 0).unwrap();
    table.write(0, stolen).unwrap();
    assert_eq!(table.read(0), Some(stolen));
}

#[test]
fn a_pair_table_takes_no_descriptor_beyond_four_gib_and_a_whole_one_does() {
    let entry = layout::PostedIrte::new()
        .with_present(true)
        .with_posted(true)
        .with_address_low(3)
        .with_address_high(1)
        .into_bits();
    let pair = PairTable::new(2);
    pair.grow(1).unwrap();
    let address = 0x1_0000_00c0;
    assert_eq!(
        pair.write(0, entry),
        Err(TableError::DescriptorTooHigh { address })
    );
    assert_eq!(pair.read(0), Some(0));
    let whole = WholeTable::boxed(2).unwrap();
    whole.write(0, entry).unwrap();
    assert_eq!(whole.read(0), Some(entry));
}

#[test]
fn a_reader_never_sees_half_of_a_whole_entry() {
    let table = WholeTable::boxed(1).unwrap();
    let entries = [ENTRY, !ENTRY];
    table.write(0, entries[0]).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..100_000 {
                let seen = table.read(0).unwrap();
                assert!(entries.contains(&seen), "{seen:#x}");
            }
        });
        for turn in 0..100_000 {
            table.write(0, entries[turn % 2]).unwrap();
        }
    });
}
