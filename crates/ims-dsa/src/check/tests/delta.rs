// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a delta operation's operands must be.
use super::*;
use crate::layout::{MAX_DELTA_TRANSFER, MIN_DELTA_ROOM};

fn create(source: u64, second: u64, size: u32, record: u64, room: u32) -> Descriptor {
    Descriptor {
        extra: U64::new(record),
        seed_address: U64::new(room.into()),
        ..transfer(Opcode::CreateDelta, 0, source, second, size)
    }
}

fn apply(record: u64, delta_size: u32, destination: u64, size: u32) -> Descriptor {
    Descriptor {
        extra: U64::new(delta_size.into()),
        ..transfer(Opcode::ApplyDelta, 0, record, destination, size)
    }
}

fn assert_statuses(cases: &[(Descriptor, Status)]) {
    for (descriptor, expected) in cases {
        assert_eq!(status(descriptor, &RULES), *expected, "{descriptor:x?}");
    }
}

#[test]
fn addresses_and_size_are_whole_words() {
    let far = 0x20_0000;
    let unaligned = Status::AddressAlignment;
    assert_statuses(&[
        (create(0x1000, 0x2000, 64, far, 80), Status::Success),
        (create(0x1004, 0x2000, 64, far, 80), unaligned),
        (create(0x1000, 0x2001, 64, far, 80), unaligned),
        (create(0x1000, 0x2000, 64, far + 2, 80), unaligned),
        (create(0x1000, 0x2000, 63, far, 80), unaligned),
        (apply(0x1000, 10, far, 64), Status::Success),
        (apply(0x1002, 10, far, 64), unaligned),
        (apply(0x1000, 10, far + 4, 64), unaligned),
        (apply(0x1000, 10, far, 60), unaligned),
    ]);
}

#[test]
fn a_transfer_reaches_no_further_than_offsets() {
    let (most, far) = (MAX_DELTA_TRANSFER, 0x100_0000);
    assert_statuses(&[
        (create(0, far, most, 2 * far, 80), Status::Success),
        (create(0, far, most + 8, 2 * far, 80), Status::TransferSize),
        (create(0, far, 0, 2 * far, 80), Status::TransferSize),
        (apply(0, 10, far, most), Status::Success),
        (apply(0, 10, far, most + 8), Status::TransferSize),
        (apply(0, 10, far, 0), Status::TransferSize),
    ]);
}

#[test]
fn a_delta_record_has_room_or_whole_entries() {
    let wrong = Status::DeltaRecordSize;
    let least = MIN_DELTA_ROOM;
    assert_statuses(&[
        (create(0x1000, 0x2000, 64, 0x3000, least - 1), wrong),
        (create(0x1000, 0x2000, 64, 0x3000, 0), wrong),
        // Twice the transfer is what test programs give.
        (create(0x1000, 0x2000, 64, 0x3000, 128), Status::Success),
        (apply(0x1000, 0, 0x2000, 64), wrong),
        (apply(0x1000, 9, 0x2000, 64), wrong),
        (apply(0x1000, 25, 0x2000, 64), wrong),
        (apply(0x1000, u32::MAX, 0x2000, 64), wrong),
        (apply(0x1000, 30, 0x2000, 64), Status::Success),
    ]);
}

#[test]
fn a_delta_record_lies_apart_from_what_is_compared_or_changed() {
    assert_statuses(&[
        (create(0x1000, 0x1000, 64, 0x3000, 80), Status::Success),
        (create(0x1000, 0x2000, 64, 0x1038, 80), Status::Overlap),
        (create(0x1000, 0x2000, 64, 0x1040, 80), Status::Success),
        (create(0x1000, 0x2000, 64, 0x2000 - 72, 80), Status::Overlap),
        (create(0x1000, 0x2000, 64, 0x2000 - 80, 80), Status::Success),
        (create(0x1000, 0x2000, 64, 0x2038, 80), Status::Overlap),
        (apply(0x1000, 10, 0x1008, 64), Status::Overlap),
        (apply(0x1000, 10, 0x1010, 64), Status::Success),
        (apply(0x2038, 10, 0x2000, 64), Status::Overlap),
        (apply(0x2040, 10, 0x2000, 64), Status::Success),
        (apply(u64::MAX - 7, 4_294_967_290, 8, 64), Status::Success),
    ]);
}
