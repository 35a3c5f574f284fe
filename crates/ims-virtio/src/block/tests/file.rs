// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the file does shows in the status.

use std::fs::{File, OpenOptions};

use vm_memory::GuestAddress;

use super::machine::{Machine, Scratch, put_header};
use crate::block::{Block, BlockError, BlockOptions, Disk};
use crate::layout::block::{feature, request, status};
use crate::queues::testing::backing;

/// A device that has no size and that nobody can sync.
fn unsyncable() -> Disk {
    let open = OpenOptions::new().read(true).write(true).open("/dev/zero");
    Disk::of(open.unwrap()).unwrap()
}

#[test]
fn without_flush_each_write_is_synced_before_it_is_told() {
    let options = BlockOptions::default();
    for (features, expected) in [(feature::FLUSH, status::OK), (0, status::IOERR)] {
        let mut machine = Machine::on(unsyncable(), &options);
        machine.start(machine.ram.clone(), features);
        let wrote = machine.request(0, request::OUT, 0, (0, 0), false);
        assert_eq!(wrote.0, expected, "features {features:#x}");
    }
}

#[test]
fn a_long_request_that_fails_at_its_end_ends() {
    let scratch = Scratch::new(1 << 24);
    let disk = Disk::open(&scratch.0, false).unwrap();
    let mut machine = Machine::on(disk, &BlockOptions::default());
    machine.start(machine.ram.clone(), feature::FLUSH);
    let base = machine.buffers(0);
    put_header(&machine.ram, base, request::IN, 0);
    // Longer than a worker keeps a session, on any machine of today.
    let mut chain = vec![(base, 16, false)];
    chain.extend([(base + 0x1000, 0x10000, true); 200]);
    chain.extend([(1 << 40, 512, true), (base + 16, 1, true)]);
    machine.drivers[0].add(&chain).unwrap();
    machine.notify(0);
    assert_eq!(machine.wait_used(0).1, 200 * 0x10000);
    let said = super::machine::bytes(&machine.ram, base + 16, 1);
    assert_eq!(said, [status::IOERR]);
}

#[test]
fn a_flush_that_fails_is_said() {
    let mut machine = Machine::on(unsyncable(), &BlockOptions::default());
    machine.start(machine.ram.clone(), feature::FLUSH);
    let synced = machine.request(0, request::FLUSH, 0, (0, 0), false);
    assert_eq!(synced, (status::IOERR, 1));
}

#[test]
fn a_file_that_was_cut_gives_an_error_for_what_is_gone() {
    let mut machine = Machine::started(&BlockOptions::default(), feature::FLUSH);
    let file = OpenOptions::new()
        .write(true)
        .open(&machine.file.0)
        .unwrap();
    file.set_len(1024).unwrap();
    let at = machine.buffers(0) + 0x1000;
    let gone = machine.request(0, request::IN, 8, (at, 512), true);
    assert_eq!(gone, (status::IOERR, 0));
    // What is there is told up to its end, and no further.
    let half = machine.request(0, request::IN, 1, (at, 1024), true);
    assert_eq!(half.0, status::IOERR);
    assert!(half.1 <= 512);
    let there = machine.request(0, request::IN, 0, (at, 1024), true);
    assert_eq!(there, (status::OK, 1025));
}

#[test]
fn workers_that_share_one_description_do_not_mix_their_places() {
    // What has no name can be opened again through /proc; what has no /proc cannot.
    let scratch = Scratch::new(1 << 20);
    let disk = Disk::open(&scratch.0, false).unwrap();
    let [first, second] = <[_; 2]>::try_from(disk.places(2)).unwrap();
    let one = first.at(512).unwrap();
    // With a description of its own, the second does not wait for the first.
    let two = second.at(1024).unwrap();
    drop((one, two));
}

#[test]
fn a_file_opened_for_reading_is_read_only_whatever_is_asked() {
    let scratch = Scratch::new(1 << 20);
    let disk = Disk::of(File::open(&scratch.0).unwrap()).unwrap();
    assert!(!disk.is_writable());
    let backing = backing(1, 16);
    let block = Block::new(disk, backing.interrupts.clone(), &BlockOptions::default()).unwrap();
    let offered = crate::Device::<crate::queues::testing::Ram>::features(&block);
    assert_ne!(offered & feature::RO, 0);
}

#[test]
fn a_file_opened_to_append_is_refused() {
    let scratch = Scratch::new(1 << 20);
    let file = OpenOptions::new().read(true).append(true).open(&scratch.0);
    assert!(Disk::of(file.unwrap()).is_err());
}

#[test]
fn options_that_cannot_be_are_refused() {
    let scratch = Scratch::new(1 << 20);
    let backing = backing(1, 16);
    let refused = |options: BlockOptions| {
        let disk = Disk::open(&scratch.0, false).unwrap();
        Block::new(disk, backing.interrupts.clone(), &options).unwrap_err()
    };
    let good = BlockOptions::default;
    assert!(matches!(
        refused(BlockOptions {
            queues: 0,
            ..good()
        }),
        BlockError::Nothing
    ));
    assert!(matches!(
        refused(BlockOptions {
            workers: 0,
            ..good()
        }),
        BlockError::Nothing
    ));
    for queue_size in [0, 1, 2, 3, 255, 65535] {
        assert!(matches!(
            refused(BlockOptions {
                queue_size,
                ..good()
            }),
            BlockError::QueueSize(_)
        ));
    }
    for block_size in [0, 256, 513, u32::MAX] {
        assert!(matches!(
            refused(BlockOptions {
                block_size,
                ..good()
            }),
            BlockError::BlockSize(_)
        ));
    }
    for id in ["a string of twenty-one", "ä"] {
        let id = String::from(id);
        assert!(matches!(
            refused(BlockOptions { id, ..good() }),
            BlockError::Id(_)
        ));
    }
}

#[test]
fn a_buffer_whose_file_was_cut_is_answered_as_outside_memory() {
    use std::sync::Arc;
    use vm_memory::{FileOffset, GuestMemoryMmap};

    let mut machine = Machine::new(&BlockOptions::default());
    // A second region, of a file that its owner cuts after it was mapped.
    let other = Scratch::new(0x1000);
    let open = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&other.0)
        .unwrap();
    let far = 0x100_0000;
    let backed = Some(FileOffset::new(open.try_clone().unwrap(), 0));
    let ranges = [
        (GuestAddress(0), 0x20000, None),
        (GuestAddress(far), 0x1000, backed),
    ];
    let ram = Arc::new(GuestMemoryMmap::from_ranges_with_files(&ranges).unwrap());
    machine.replace_ram(&ram);
    open.set_len(0).unwrap();
    machine.start(Arc::clone(&ram), feature::FLUSH);
    put_header(&ram, machine.buffers(0), request::IN, 0);
    let read = machine.request(0, request::IN, 0, (far, 512), true);
    assert_eq!(read, (status::IOERR, 0));
    let wrote = machine.request(0, request::OUT, 0, (far, 512), false);
    assert_eq!(wrote, (status::IOERR, 1));
}
