// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a hostile driver gets, and what its neighbours do not notice.

use vm_memory::{Bytes, GuestAddress};

use super::machine::{AREA, Machine, put_header};
use crate::block::BlockOptions;
use crate::device::{Device, Setup};
use crate::layout::block::{feature, request, status};
use crate::queues::testing::{Buffer, Driver, INDIRECT, NEXT, Ram, WRITE};

const OPTIONS: BlockOptions = BlockOptions {
    queues: 2,
    queue_size: 16,
    workers: 2,
    read_only: false,
    block_size: 512,
    id: String::new(),
};

/// Where things are in queue 0's buffers.
struct Places {
    header: u64,
    status: u64,
    data: u64,
    table: u64,
}

fn places(machine: &Machine) -> Places {
    let base = machine.buffers(0);
    Places {
        header: base,
        status: base + 16,
        data: base + 0x1000,
        table: base + 0x4000,
    }
}

fn machine() -> Machine {
    let machine = Machine::started(&OPTIONS, feature::FLUSH);
    let at = places(&machine);
    put_header(&machine.ram, at.header, request::IN, 0);
    machine
}

/// Both queues still do what they should.
fn go_on(machine: &mut Machine) {
    for queue in [0, 1] {
        let at = machine.buffers(queue) + 0x1000;
        let read = machine.request(queue, request::IN, 1, (at, 512), true);
        assert_eq!(read, (status::OK, 513), "queue {queue}");
    }
    assert_eq!(machine.told.counts().resets, 0);
}

/// Gives queue 0 a chain of `buffers`; what is told, and the status if it was set.
fn give(machine: &mut Machine, buffers: &[Buffer]) -> (u32, Option<u8>) {
    let status = places(machine).status;
    machine
        .ram
        .write_obj(0xee_u8, GuestAddress(status))
        .unwrap();
    machine.drivers[0].add(buffers).unwrap();
    machine.notify(0);
    let (_, written) = machine.wait_used(0);
    let said: u8 = machine.ram.read_obj(GuestAddress(status)).unwrap();
    (written, (said != 0xee).then_some(said))
}

#[test]
fn buffers_that_are_not_in_memory_are_an_error_where_it_can_be_said() {
    let mut machine = machine();
    let at = places(&machine);
    let header = (at.header, 16, false);
    let status = (at.status, 1, true);
    let end = 2 * AREA;
    let bad_data = [
        (end, 512),
        (end - 256, 512),
        (u64::MAX - 255, 512),
        (u64::MAX, 512),
        (1 << 63, 512),
    ];
    for (address, length) in bad_data {
        let answer = give(&mut machine, &[header, (address, length, true), status]);
        assert_eq!(answer.1, Some(status::IOERR), "data at {address:#x}");
        assert!(answer.0 < 513);
    }
    let answer = give(&mut machine, &[(end, 16, false), status]);
    assert_eq!(answer, (1, Some(status::IOERR)));
    let answer = give(&mut machine, &[(u64::MAX - 7, 16, false), status]);
    assert_eq!(answer, (1, Some(status::IOERR)));
    // No place to say it.
    let answer = give(&mut machine, &[header, (end, 1, true)]);
    assert_eq!(answer, (0, None));
    go_on(&mut machine);
}

#[test]
fn chains_of_the_wrong_shape_are_errors_where_it_can_be_said() {
    let mut machine = machine();
    let at = places(&machine);
    let header = (at.header, 16, false);
    let status = (at.status, 1, true);
    let io_error = (1, Some(status::IOERR));
    // A header that is too short, or empty, or where the answer should be.
    assert_eq!(
        give(&mut machine, &[(at.header, 15, false), status]),
        io_error
    );
    assert_eq!(
        give(&mut machine, &[(at.header, 0, false), status]),
        io_error
    );
    let answer = give(&mut machine, &[(at.data, 16, true), status]);
    assert_eq!(answer, (0, Some(status::IOERR)));
    // Data in the wrong direction.
    let answer = give(&mut machine, &[header, (at.data, 512, false), status]);
    assert_eq!(answer, io_error);
    put_header(&machine.ram, at.header, request::OUT, 0);
    let answer = give(&mut machine, &[header, (at.data, 512, true), status]);
    assert_eq!(answer, (0, Some(status::IOERR)));
    // No status byte.
    assert_eq!(give(&mut machine, &[header]), (0, None));
    assert_eq!(
        give(&mut machine, &[header, (at.status, 0, true)]),
        (0, None)
    );
    assert_eq!(
        give(&mut machine, &[header, (at.status, 1, false)]),
        (0, None)
    );
    // What is readable after what is writable.
    let answer = give(&mut machine, &[header, status, (at.data, 512, false)]);
    assert_eq!(answer, (0, None));
    go_on(&mut machine);
}

#[test]
fn lengths_beyond_what_a_chain_can_have_end_it() {
    let mut machine = machine();
    let at = places(&machine);
    let header = (at.header, 16, false);
    let status = (at.status, 1, true);
    let huge = (at.data, u32::MAX, true);
    // More than 2^32 in sum: no end can be found.
    assert_eq!(give(&mut machine, &[header, huge, huge, status]), (0, None));
    // Just below: there is an end, and too few sectors.
    let below = (at.data, u32::MAX - 17, true);
    let answer = give(&mut machine, &[header, below, status]);
    assert_eq!(answer, (0, Some(status::IOERR)));
    go_on(&mut machine);
}

#[test]
fn a_chain_that_does_not_end_is_used_with_nothing_written() {
    let mut machine = machine();
    let at = places(&machine);
    let base = machine.drivers[0].base;
    let header = |next| (at.header, 16, NEXT, next);
    let descriptor = |driver: &Driver, place: u64, (address, length, flags, next)| {
        driver.descriptor(base + 16 * place, address, length, flags, next);
    };
    // A table elsewhere, whose length, place or content is no table's.
    let indirect = |address, length| (address, length, INDIRECT, 0);
    let loops = [
        // To itself; to one that leads back; out of the table.
        [header(0), (at.status, 1, WRITE, 0)],
        [header(1), (at.data, 1, NEXT | WRITE, 0)],
        [header(1), (at.status, 1, NEXT | WRITE, 16)],
        [header(1), (at.status, 1, NEXT | WRITE, u16::MAX)],
        [indirect(at.table, 15), (0, 0, 0, 0)],
        [indirect(at.table, 0), (0, 0, 0, 0)],
        [indirect(at.table, !15), (0, 0, 0, 0)],
        [indirect(2 * AREA, 32), (0, 0, 0, 0)],
        [indirect(u64::MAX - 15, 32), (0, 0, 0, 0)],
        [header(1), indirect(2 * AREA, 32)],
    ];
    for (n, [first, second]) in loops.into_iter().enumerate() {
        descriptor(&machine.drivers[0], 0, first);
        descriptor(&machine.drivers[0], 1, second);
        machine
            .ram
            .write_obj(0xee_u8, GuestAddress(at.status))
            .unwrap();
        machine.drivers[0].publish(0);
        machine.notify(0);
        assert_eq!(machine.wait_used(0), (0, 0), "chain {n}");
        let said: u8 = machine.ram.read_obj(GuestAddress(at.status)).unwrap();
        assert_eq!(said, 0xee, "chain {n}");
    }
    // Tables in tables, and one that leads to itself.
    let tables = [
        [(at.table, 32, INDIRECT, 0), (at.status, 1, WRITE, 0)],
        [(at.header, 16, NEXT, 0), (at.status, 1, WRITE, 0)],
        [(at.header, 16, NEXT, 1), (at.status, 1, WRITE | NEXT, 2)],
    ];
    for (n, table) in tables.into_iter().enumerate() {
        for (place, (address, length, flags, next)) in (0_u64..).zip(table) {
            machine.drivers[0].descriptor(at.table + 16 * place, address, length, flags, next);
        }
        descriptor(&machine.drivers[0], 0, indirect(at.table, 32));
        machine.drivers[0].publish(0);
        machine.notify(0);
        assert_eq!(machine.wait_used(0), (0, 0), "table {n}");
    }
    go_on(&mut machine);
}

#[test]
fn a_chain_longer_than_the_queue_is_used_with_nothing_written() {
    let mut machine = machine();
    let at = places(&machine);
    let mut buffers = vec![(at.header, 16, false)];
    buffers.extend((0..15).map(|n| (at.data + n, 1, true)));
    buffers.push((at.status, 1, true));
    machine.drivers[0].add_indirect(at.table, &buffers).unwrap();
    machine.notify(0);
    assert_eq!(machine.wait_used(0).1, 0);
    go_on(&mut machine);
}

/// Queue 0 is lost until a reset; queue 1 is not, and after a reset both work.
fn is_broken(machine: &mut Machine) {
    machine.told.wait(|counts| counts.resets == 1);
    machine.notify(0);
    let at = machine.buffers(1) + 0x1000;
    for _ in 0..100 {
        let read = machine.request(1, request::IN, 1, (at, 512), true);
        assert_eq!(read, (status::OK, 513));
    }
    assert_eq!(machine.told.counts().resets, 1);
    assert_eq!(machine.told.counts().of(0), 0);
    machine.restart(feature::FLUSH);
    for queue in [0, 1] {
        let at = machine.buffers(queue) + 0x1000;
        let read = machine.request(queue, request::IN, 1, (at, 512), true);
        assert_eq!(read, (status::OK, 513), "queue {queue}");
    }
    assert_eq!(machine.told.counts().resets, 1);
}

#[test]
fn an_index_that_jumps_needs_a_reset() {
    let mut machine = machine();
    let index = machine.drivers[0].avail() + 2;
    machine.drivers[0].store16(index, 17);
    machine.notify(0);
    is_broken(&mut machine);
}

#[test]
fn a_head_beyond_the_table_needs_a_reset() {
    let mut machine = machine();
    machine.drivers[0].publish(16);
    machine.notify(0);
    is_broken(&mut machine);
}

#[test]
fn rings_outside_memory_need_a_reset() {
    use virtio_queue::QueueT;

    type Move = fn(&mut virtio_queue::Queue);
    let moves: [Move; 2] = [
        |queue| queue.set_avail_ring_address(Some(0xffff_fff0), Some(0xffff_ffff)),
        |queue| queue.set_used_ring_address(Some(0xffff_fff0), Some(0xffff_ffff)),
    ];
    for outside in moves {
        let mut machine = Machine::new(&OPTIONS);
        let mut queues: Vec<_> = machine.drivers.iter().map(Driver::queue).collect();
        outside(&mut queues[0]);
        let setup = Setup::new(
            machine.ram.clone(),
            feature::FLUSH,
            queues.into_iter().map(Some).collect(),
            machine.told.notifier(),
        );
        machine.block.start(setup).unwrap();
        is_broken(&mut machine);
    }
}

#[test]
fn queues_that_are_not_there_or_not_used_are_not_notified() {
    let mut machine = Machine::new(&OPTIONS);
    // Before a start, and of no queue.
    for queue in [0, 1, 2, u16::MAX] {
        machine.notify(queue);
    }
    let setup = Setup::new(
        machine.ram.clone(),
        feature::FLUSH,
        vec![None, Some(machine.drivers[1].queue())],
        machine.told.notifier(),
    );
    Device::<Ram>::start(&*machine.block, setup).unwrap();
    for queue in [0, 2, u16::MAX] {
        machine.notify(queue);
    }
    assert!(machine.block.interrupt(0).is_none());
    let at = machine.buffers(1) + 0x1000;
    let read = machine.request(1, request::IN, 1, (at, 512), true);
    assert_eq!(read, (status::OK, 513));
}
