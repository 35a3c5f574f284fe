// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a well-behaved driver gets.

use vm_memory::{Bytes, GuestAddress};

use super::machine::{Machine, SECTORS, bytes};
use crate::block::BlockOptions;
use crate::device::Device;
use crate::layout::block::{config, feature, request, status};
use crate::queues::testing::Ram;

#[test]
fn what_is_written_is_in_the_file_and_is_read_back() {
    let mut machine = Machine::started(&BlockOptions::default(), feature::FLUSH);
    let at = machine.buffers(0) + 0x1000;
    let data: Vec<u8> = (0..1024_u32).map(|n| (n * 7 % 251) as u8).collect();
    machine.ram.write_slice(&data, GuestAddress(at)).unwrap();
    let wrote = machine.request(0, request::OUT, 3, (at, 1024), false);
    assert_eq!(wrote, (status::OK, 1));
    assert_eq!(machine.file.read(3 * 512, 1024), data);
    let synced = machine.request(0, request::FLUSH, 0, (0, 0), false);
    assert_eq!(synced, (status::OK, 1));
    let there = at + 0x1000;
    let read = machine.request(0, request::IN, 3, (there, 1024), true);
    assert_eq!(read, (status::OK, 1025));
    assert_eq!(bytes(&machine.ram, there, 1024), data);
}

#[test]
fn the_id_is_said_padded_with_zeros() {
    let options = BlockOptions {
        id: String::from("a disk"),
        ..BlockOptions::default()
    };
    let mut machine = Machine::started(&options, feature::FLUSH);
    let at = machine.buffers(0) + 0x1000;
    let said = machine.request(0, request::GET_ID, 0, (at, 20), true);
    assert_eq!(said, (status::OK, 21));
    assert_eq!(
        bytes(&machine.ram, at, 20),
        b"a disk\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
    );
}

#[test]
fn a_kind_that_is_not_offered_is_unsupported() {
    let mut machine = Machine::started(&BlockOptions::default(), feature::FLUSH);
    for kind in [2, 3, 11, 13, 14, u32::MAX] {
        let answer = machine.request(0, kind, 0, (0, 0), false);
        assert_eq!(answer, (status::UNSUPP, 1), "kind {kind}");
    }
}

#[test]
fn a_sector_beyond_the_end_is_an_error_and_nothing_is_written() {
    let mut machine = Machine::started(&BlockOptions::default(), feature::FLUSH);
    let at = machine.buffers(0) + 0x1000;
    for sector in [SECTORS, SECTORS - 1, u64::MAX, u64::MAX / 512, 1 << 55] {
        let answer = machine.request(0, request::OUT, sector, (at, 1024), false);
        assert_eq!(answer.0, status::IOERR, "sector {sector}");
        let answer = machine.request(0, request::IN, sector, (at, 1024), true);
        assert_eq!(answer, (status::IOERR, 0), "sector {sector}");
    }
    // Up to the very end is good.
    let answer = machine.request(0, request::IN, SECTORS - 2, (at, 1024), true);
    assert_eq!(answer, (status::OK, 1025));
    let length = std::fs::metadata(&machine.file.0).unwrap().len();
    assert_eq!(length, SECTORS * 512);
}

#[test]
fn a_part_of_a_sector_is_an_error() {
    let mut machine = Machine::started(&BlockOptions::default(), feature::FLUSH);
    let at = machine.buffers(0) + 0x1000;
    let answer = machine.request(0, request::IN, 0, (at, 511), true);
    assert_eq!(answer, (status::IOERR, 0));
    let answer = machine.request(0, request::OUT, 0, (at, 513), false);
    assert_eq!(answer, (status::IOERR, 1));
}

#[test]
fn a_disk_that_is_read_only_says_so_and_refuses_writes() {
    let options = BlockOptions {
        read_only: true,
        ..BlockOptions::default()
    };
    let mut machine = Machine::started(&options, feature::FLUSH);
    let offered = Device::<Ram>::features(&*machine.block);
    assert_ne!(offered & feature::RO, 0);
    machine.file.write(0, &[7; 512]);
    let at = machine.buffers(0) + 0x1000;
    let wrote = machine.request(0, request::OUT, 0, (at, 512), false);
    assert_eq!(wrote, (status::IOERR, 1));
    let read = machine.request(0, request::IN, 0, (at, 512), true);
    assert_eq!(read, (status::OK, 513));
    assert_eq!(bytes(&machine.ram, at, 512), [7; 512]);
    assert_eq!(
        machine.request(0, request::FLUSH, 0, (0, 0), false).0,
        status::OK
    );
}

#[test]
fn the_configuration_is_read_by_any_width() {
    let options = BlockOptions {
        queues: 3,
        queue_size: 64,
        block_size: 4096,
        ..BlockOptions::default()
    };
    let machine = Machine::new(&options);
    let mut whole = [0xff; config::BYTES + 8];
    let read = |offset: usize, into: &mut [u8]| {
        Device::<Ram>::read_config(&*machine.block, offset as u64, into);
    };
    read(0, &mut whole);
    assert_eq!(whole[..8], SECTORS.to_le_bytes());
    assert_eq!(whole[12..16], 62_u32.to_le_bytes());
    assert_eq!(whole[20..24], 4096_u32.to_le_bytes());
    assert_eq!(whole[34..36], 3_u16.to_le_bytes());
    assert_eq!(whole[config::BYTES..], [0; 8]);
    for width in [1, 2, 4, 8] {
        for offset in 0..=config::BYTES {
            let mut part = vec![0xff; width];
            read(offset, &mut part);
            let end = (offset + width).min(whole.len());
            assert_eq!(part[..end - offset], whole[offset..end]);
        }
    }
    let mut far = [0xff; 8];
    Device::<Ram>::read_config(&*machine.block, u64::MAX, &mut far);
    assert_eq!(far, [0; 8]);
}
