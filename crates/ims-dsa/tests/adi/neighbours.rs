// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Two interfaces on one parent: nothing of one reaches the other.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use ims_dsa::adi::AdiConfig;
use ims_dsa::layout::{Descriptor, Flags, Opcode};

use crate::guest::{
    Guest, INVALID_HANDLE, RAM, SUCCESS, Told, copy, drain, record, signalled, wait,
};
use crate::parent;

const RECORD: u64 = RAM + 0x1000;

#[test]
fn a_neighbours_handle_is_invalid_and_nothing_of_it_is_delivered_or_counted_there() {
    let parent = parent();
    let (guest, _triggers) = Guest::enabled(&parent.compose(AdiConfig::default()).unwrap());
    let (other, others) = Guest::enabled(&parent.compose(AdiConfig::default()).unwrap());
    let theirs = other.handle(1);
    guest.ram.write(RAM, b"not to be moved");
    guest.submit(3, 0, &copy(RAM, RAM + 64, 15, RECORD, Some(theirs)));
    wait("the record", || guest.ram.status(RECORD) == INVALID_HANDLE);
    let mut moved = [0; 15];
    guest.ram.read(RAM + 64, &mut moved);
    assert_eq!(moved, [0; 15], "checked before anything is done");
    // Every number there can be, but its own.
    let mine = guest.handle(1);
    for handle in (0..300).chain([0xffff]).filter(|handle| *handle != mine) {
        guest.ram.write(RECORD, &[0; 32]);
        guest.submit(
            1,
            handle.into(),
            &copy(RAM, RAM + 64, 15, RECORD, Some(handle)),
        );
        wait("the record", || guest.ram.status(RECORD) == INVALID_HANDLE);
    }
    assert_eq!(drain(&others[1]), 0);
    let vector = other.vector(1);
    assert_eq!((vector.raised, vector.faulted), (0, 0));
}

#[test]
fn the_pasid_in_a_descriptor_is_not_looked_at_and_addresses_are_its_own_clients() {
    let parent = parent();
    let (guest, _triggers) = Guest::enabled(&parent.compose(AdiConfig::default()).unwrap());
    let (other, _others) = Guest::enabled(&parent.compose(AdiConfig::default()).unwrap());
    other.ram.write(RAM, b"secret");
    guest.ram.write(RAM, b"public");
    let mut descriptor = copy(RAM, RAM + 64, 6, RECORD, None);
    descriptor.trusted = (1 << 31 | other.device.pasid().get()).into();
    guest.submit(0, 0, &descriptor);
    wait("the record", || guest.ram.status(RECORD) == SUCCESS);
    let mut moved = [0; 6];
    guest.ram.read(RAM + 64, &mut moved);
    assert_eq!(&moved, b"public");
    assert_eq!(other.ram.status(RECORD), 0);
}

#[test]
fn a_page_fault_with_block_on_fault_holds_no_engine() {
    let parent = parent();
    let (guest, _triggers) = Guest::enabled(&parent.compose(AdiConfig::default()).unwrap());
    let flags = Flags::RECORD_VALID | Flags::REQUEST_RECORD | Flags::BLOCK_ON_FAULT;
    let mut descriptor = Descriptor::new(Opcode::MemoryMove, flags);
    descriptor.completion = RECORD.into();
    descriptor.size = 8.into();
    guest.submit(0, 0, &descriptor);
    wait("the record", || guest.ram.status(RECORD) != 0);
    assert_eq!(
        record(&guest.ram, RECORD).status,
        0x11,
        "a flag it may not use"
    );
}

/// Submits copies, each with a record of its own, until told to stop; says how many
/// ended well.
pub fn work(guest: &Guest, handle: u16, stop: &AtomicBool) -> u64 {
    let (mut done, mut round) = (0, 0u64);
    while !stop.load(Ordering::Relaxed) {
        round += 1;
        let text = round.to_le_bytes();
        let (from, to) = (RAM + 0x2000, RAM + 0x3000);
        guest.ram.write(from, &text);
        guest.ram.write(RECORD, &[0; 32]);
        guest.submit(round % 4, round, &copy(from, to, 8, RECORD, Some(handle)));
        wait("a neighbour's record", || guest.ram.status(RECORD) != 0);
        assert_eq!(record(&guest.ram, RECORD).status, SUCCESS);
        let mut moved = [0; 8];
        guest.ram.read(to, &mut moved);
        assert_eq!(moved, text);
        done += 1;
    }
    done
}

#[test]
fn a_device_destroyed_under_load_gives_all_back_and_its_neighbour_notices_nothing() {
    let parent = parent();
    let (other, others) = Guest::enabled(&parent.compose(AdiConfig::default()).unwrap());
    let handle = other.handle(1);
    let stop = AtomicBool::new(false);
    let done = thread::scope(|scope| {
        let neighbour = scope.spawn(|| work(&other, handle, &stop));
        for round in 0..30u32 {
            let vectors = AdiConfig {
                vectors: 9,
                ..AdiConfig::default()
            };
            let (guest, _triggers) = Guest::enabled(&parent.compose(vectors).unwrap());
            let handles: Vec<_> = (1..9).map(|vector| guest.handle(vector)).collect();
            thread::scope(|scope| {
                scope.spawn(|| {
                    // Stores go on after the end, and find nobody.
                    for n in 0..400u64 {
                        let handle = handles[n as usize % 8];
                        let record = RECORD + n % 64 * 32;
                        guest.submit(
                            n % 4,
                            n,
                            &copy(RAM, RAM + 0x8000, 4096, record, Some(handle)),
                        );
                    }
                });
                wait("some work", || {
                    guest.report().queue.submitted > u64::from(round)
                });
                let told = Told::default();
                guest.device.destroy(told.hold());
                told.wait();
            });
            let mut bytes = [0; 4];
            guest.endpoint.read(0, 0, &mut bytes).unwrap();
            assert_eq!(bytes, [0xff; 4], "pulled out");
            let fd = rustix::event::eventfd(0, rustix::event::EventfdFlags::NONBLOCK).unwrap();
            assert!(guest.try_trigger(1, fd).is_err());
            // No engine works for it: its memory stays as it is.
            let before = guest.ram.status(RECORD);
            guest.ram.write(RECORD, &[0xee]);
            assert_eq!((guest.ram.status(RECORD), before <= 0x22), (0xee, true));
        }
        stop.store(true, Ordering::Relaxed);
        neighbour.join().unwrap()
    });
    assert!(done > 0);
    wait("the entries", || parent.usage().ims_used == 1);
    wait("the sum", || {
        other.vector(1).raised == done && other.adds_up(1)
    });
    signalled(&others[1], other.vector(1).delivered);
    assert_eq!(other.vector(1).faulted, 0);
    assert_eq!(parent.usage().interfaces, 1);
}
