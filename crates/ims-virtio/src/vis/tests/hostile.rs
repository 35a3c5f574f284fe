// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A driver that writes what it should not, and memory that goes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use vm_memory::{Bytes, GuestAddress, GuestMemoryMmap};

use super::driver::{AREA, BYTES, NONE, Pair, QUEUES, Ram, Shape, VECTORS, message, ram};
use crate::layout::vis::{
    ALL, CONFIG_INDEX, Command, Error, MASK, PENDING, header, message as layout, register,
};
use crate::memory::Memory;
use crate::notifier::Event;

/// Memory that can be taken away.
#[derive(Debug, Clone)]
struct Removable {
    ram: Ram,
    gone: Arc<AtomicBool>,
}

impl Memory for Removable {
    type Session = GuestMemoryMmap<()>;

    fn enter(&self) -> Option<Ram> {
        (!self.gone.load(Ordering::SeqCst)).then(|| Arc::clone(&self.ram))
    }
}

fn removable() -> (Pair<Removable>, Arc<AtomicBool>) {
    let (ram, gone) = (ram(), Arc::<AtomicBool>::default());
    let memory = Removable {
        ram: Arc::clone(&ram),
        gone: Arc::clone(&gone),
    };
    (Pair::on(memory, ram), gone)
}

#[test]
fn a_header_that_does_not_fit_is_refused_with_what_is_wrong_and_a_good_one_taken_after() {
    let good = Shape::default();
    let end = good.length;
    for (shape, error) in [
        (Shape { vectors: 0, ..good }, Error::Vectors),
        (
            Shape {
                vectors: VECTORS + 1,
                ..good
            },
            Error::Vectors,
        ),
        (
            Shape {
                vectors: u32::MAX,
                ..good
            },
            Error::Vectors,
        ),
        (
            Shape {
                queues: u32::from(QUEUES) + 1,
                ..good
            },
            Error::Queues,
        ),
        (
            Shape {
                queues: u32::MAX,
                ..good
            },
            Error::Queues,
        ),
        (Shape { shift: 1, ..good }, Error::Alignment),
        (Shape { shift: 7, ..good }, Error::Alignment),
        (
            Shape {
                shift: u32::MAX,
                ..good
            },
            Error::Alignment,
        ),
        (
            Shape {
                messages: 0x108,
                ..good
            },
            Error::Alignment,
        ),
        (Shape { map: 0x82, ..good }, Error::Alignment),
        (
            Shape {
                gates: 0x204,
                ..good
            },
            Error::Alignment,
        ),
        (
            Shape {
                length: end - 1,
                ..good
            },
            Error::Bounds,
        ),
        (Shape { length: 0, ..good }, Error::Bounds),
        (
            Shape {
                messages: end,
                ..good
            },
            Error::Bounds,
        ),
        (
            Shape {
                messages: !15,
                ..good
            },
            Error::Bounds,
        ),
        (Shape { gates: !63, ..good }, Error::Bounds),
        (Shape { map: !3, ..good }, Error::Bounds),
        (
            Shape {
                messages: 0,
                ..good
            },
            Error::Bounds,
        ),
        (Shape { map: 0x7c, ..good }, Error::Bounds),
        (
            Shape {
                messages: 0x80,
                ..good
            },
            Error::Bounds,
        ),
        (
            Shape {
                gates: 0x140,
                ..good
            },
            Error::Bounds,
        ),
        (Shape { map: 0x300, ..good }, Error::Bounds),
        (
            Shape {
                length: u32::MAX,
                ..good
            },
            Error::Area,
        ),
        (
            Shape {
                config: VECTORS,
                ..good
            },
            Error::Index,
        ),
    ] {
        let mut pair = Pair::new();
        // What a part overlaps is not to be overwritten by the test.
        pair.lay_out(good);
        for (field, value) in [
            (header::VECTORS, shape.vectors),
            (header::QUEUES, shape.queues),
            (header::CONFIG_VECTOR, shape.config),
            (header::GATE_SHIFT, shape.shift),
            (header::MESSAGES, shape.messages),
            (header::MAP, shape.map),
            (header::GATES, shape.gates),
            (header::LENGTH, shape.length),
        ] {
            pair.set(field, value);
        }
        assert_eq!(pair.try_enable(AREA), error, "{shape:?}");
        assert_eq!(pair.get(header::ERROR), error as u32);
        assert_eq!(pair.get(header::DONE), pair.asked);
        assert!(!pair.vis.enabled() && !pair.port.event(Event::Used(0)));
        pair.lay_out(good);
        pair.enable();
        pair.port.raise(1);
        assert_eq!(pair.sent(), [1]);
    }
}

#[test]
fn an_area_that_is_nowhere_is_refused_in_the_state_register() {
    for (area, error) in [
        (AREA + 4, Error::Alignment),
        (AREA + 32, Error::Alignment),
        (u64::MAX, Error::Alignment),
        (!63, Error::Area),
        (BYTES, Error::Area),
        (1 << 40, Error::Area),
        (BYTES - 64, Error::Area),
        (u64::MAX - 127, Error::Area),
    ] {
        let mut pair = Pair::new();
        assert_eq!(pair.try_enable(area), error, "{area:#x}");
        assert_eq!(pair.get(header::DONE), 0);
        assert!(!pair.vis.enabled());
        pair.enable();
    }
}

#[test]
fn an_area_that_ends_outside_memory_is_refused_where_its_header_is() {
    let mut pair = Pair::new();
    let area = BYTES - 0x100;
    let mut bytes = vec![0; header::BYTES as usize];
    pair.ram.read_slice(&mut bytes, GuestAddress(AREA)).unwrap();
    pair.ram.write_slice(&bytes, GuestAddress(area)).unwrap();
    assert_eq!(pair.try_enable(area), Error::Area);
    let at = GuestAddress(area + header::ERROR);
    assert_eq!(pair.ram.read_obj::<u32>(at).unwrap(), Error::Area as u32);
}

#[test]
fn bad_entries_of_messages_and_map_fail_the_whole_and_say_which() {
    let mut pair = Pair::running();
    let reserved =
        |vector: u64| u64::from(Shape::default().messages) + vector * 16 + layout::RESERVED;
    (0..VECTORS).for_each(|vector| {
        let mut moved = message(vector);
        moved.data |= 0x8000;
        pair.program(vector, moved);
    });
    pair.set(reserved(3), 1);
    assert_eq!(pair.command(Command::Update, ALL), Error::Message);
    assert_eq!(pair.get(header::ERROR_INDEX), 3);
    (0..VECTORS).for_each(|vector| pair.port.raise(vector));
    assert_eq!(pair.sent(), (0..VECTORS).collect::<Vec<_>>(), "as before");
    pair.set(reserved(3), 0);
    pair.program(
        4,
        ims::message::Message {
            address: 0xfee0_0002,
            data: 1,
        },
    );
    assert_eq!(pair.command(Command::Update, 4), Error::Message);

    pair.set_map(0, 5);
    pair.set_map(2, VECTORS);
    assert_eq!(pair.command(Command::Map, ALL), Error::Index);
    assert_eq!(pair.get(header::ERROR_INDEX), 2);
    assert_eq!(pair.port.vector(Event::Used(0)), Some(0));
    pair.set_map(2, 2);
    pair.set(header::CONFIG_VECTOR, VECTORS);
    assert_eq!(pair.command(Command::Map, ALL), Error::Index);
    assert_eq!(pair.get(header::ERROR_INDEX), CONFIG_INDEX);
    assert_eq!(pair.command(Command::Map, 0), Error::None);
}

#[test]
fn numbers_beyond_the_area_are_refused() {
    let mut pair = Pair::running();
    assert_eq!(pair.command(Command::Update, VECTORS), Error::Index);
    assert_eq!(pair.get(header::ERROR_INDEX), VECTORS);
    assert_eq!(pair.command(Command::Map, QUEUES.into()), Error::Index);
    for (first, count, index) in [
        (0, VECTORS + 1, VECTORS),
        (VECTORS + 1, 0, VECTORS + 1),
        (u32::MAX, u32::MAX, u32::MAX),
        (1, u32::MAX, VECTORS),
    ] {
        pair.set(header::FIRST, first);
        pair.set(header::COUNT, count);
        assert_eq!(pair.command(Command::UpdateRange, 0), Error::Index);
        assert_eq!(pair.get(header::ERROR_INDEX), index);
    }
    pair.resend(VECTORS);
    pair.resend(ALL);
    pair.port.raise(VECTORS);
    pair.port.raise(u32::MAX);
    assert_eq!(pair.port.losses().strays, 2);
    assert_eq!(pair.sent(), NONE);
}

#[test]
fn commands_that_are_none_or_come_at_the_wrong_time_change_nothing() {
    let mut pair = Pair::running();
    assert_eq!(pair.command(Command::Enable, 0), Error::Command);
    for unknown in [0, 7, 15] {
        pair.asked += 1;
        pair.set(header::ASK, pair.asked);
        pair.vis.write(register::COMMAND, unknown << 28);
        assert_eq!(pair.state_error(), Error::Command);
        assert_eq!(pair.get(header::DONE), pair.asked);
    }
    pair.port.raise(1);
    assert_eq!(pair.sent(), [1]);

    let mut pair = Pair::new();
    for command in [Command::Update, Command::UpdateRange, Command::Map] {
        pair.vis.write(register::ADDRESS_LOW, AREA as u32);
        pair.vis.write(register::COMMAND, command.with(0));
        assert_eq!(pair.state_error(), Error::Command);
        assert_eq!(pair.get(header::ERROR), 0, "no area to answer in");
    }
    pair.resend(0);
    assert_eq!(pair.sent(), NONE);
}

#[test]
fn what_is_written_to_the_area_without_a_command_changes_gates_alone() {
    let pair = Pair::running();
    for offset in (0..u64::from(pair.shape.gates)).step_by(4) {
        pair.set(offset, 0xffff_ffff);
    }
    (0..VECTORS).for_each(|vector| pair.port.raise(vector));
    assert!(pair.port.event(Event::Used(1)) && pair.port.event(Event::Config));
    let mut expected: Vec<_> = (0..VECTORS).collect();
    expected.extend([1, VECTORS - 1]);
    assert_eq!(pair.sent(), expected);
}

#[test]
fn messages_that_lie_over_the_devices_own_line_cannot_be() {
    // A header inside the messages, and messages that are the header's own fields.
    let mut pair = Pair::new();
    pair.set(header::MESSAGES, header::DONE as u32);
    assert_eq!(pair.try_enable(AREA), Error::Bounds);
}

#[test]
fn a_gate_that_cannot_be_reached_is_open_and_that_is_told() {
    let (mut pair, gone) = removable();
    pair.enable();
    pair.mask(1);
    gone.store(true, Ordering::SeqCst);
    pair.port.raise(1);
    assert!(pair.port.event(Event::Used(2)));
    assert_eq!(pair.sent(), [1, 2]);
    assert_eq!(pair.state_error(), Error::Lost);
    assert_eq!(pair.port.losses().gates, 2);
    assert!(pair.vis.enabled());
    // Commands fail meanwhile, and DISABLE does not.
    pair.vis.write(register::COMMAND, Command::Update.with(1));
    assert_eq!(pair.state_error(), Error::Area);
    gone.store(false, Ordering::SeqCst);
    pair.port.raise(1);
    assert_eq!(pair.gate(1), MASK | PENDING);
    assert_eq!(pair.command(Command::Update, 1), Error::None);
    gone.store(true, Ordering::SeqCst);
    pair.vis.write(register::COMMAND, Command::Disable.with(0));
    assert!(!pair.vis.enabled());
    assert_eq!(pair.state_error(), Error::None);
}

#[test]
fn a_busy_sink_and_no_gate_lose_nothing() {
    let (mut pair, gone) = removable();
    pair.enable();
    gone.store(true, Ordering::SeqCst);
    pair.sink.busy.store(true, Ordering::SeqCst);
    pair.port.raise(1);
    pair.sink.busy.store(false, Ordering::SeqCst);
    pair.port.retry(1);
    assert_eq!(pair.sent(), [1]);
}

#[test]
fn a_raise_without_message_and_gate_is_sent_when_both_are_there() {
    let (mut pair, gone) = removable();
    pair.program(1, ims::message::Message::default());
    pair.enable();
    gone.store(true, Ordering::SeqCst);
    pair.port.raise(1);
    gone.store(false, Ordering::SeqCst);
    assert_eq!(pair.gate(1), 0);
    pair.mask(1);
    pair.program(1, message(1));
    assert_eq!(pair.command(Command::Update, 1), Error::None);
    assert_eq!(pair.gate(1), MASK | PENDING, "the mask counts");
    assert!(pair.unmask(1));
    pair.resend(1);
    assert_eq!(pair.sent(), [1]);
}

#[test]
fn a_gate_in_two_regions_is_none() {
    // The first region ends within the gate of vector 1.
    let at = AREA + u64::from(Shape::default().gates) + 64 + 2;
    let ram: Ram = Arc::new(
        GuestMemoryMmap::from_ranges(&[
            (GuestAddress(0), at as usize),
            (GuestAddress(at), (BYTES - at) as usize),
        ])
        .unwrap(),
    );
    let mut pair = Pair::on(Arc::clone(&ram), ram);
    pair.lay_out(Shape::default());
    assert_eq!(pair.try_enable(AREA), Error::Lost);
    assert!(pair.vis.enabled());
    pair.port.raise(1);
    pair.port.raise(0);
    assert_eq!(pair.sent(), [1, 0]);
}

#[test]
fn the_device_writes_its_line_and_pending_bits_and_nothing_else() {
    let mut pair = Pair::new();
    let bytes = |pair: &Pair| {
        let mut bytes = vec![0; BYTES as usize];
        pair.ram.read_slice(&mut bytes, GuestAddress(0)).unwrap();
        bytes
    };
    // Whatever is in between, and in the device's own line, has a value.
    let shape = pair.shape;
    for offset in (0..u64::from(shape.length)).step_by(4) {
        if pair.get(offset) == 0 {
            pair.set(offset, 0xa5a5_a5a4);
        }
    }
    (0..VECTORS).for_each(|vector| pair.program(vector, message(vector)));
    pair.set_map(0, 0);
    let before = bytes(&pair);
    pair.enable();
    for vector in 0..VECTORS {
        pair.mask(vector);
        pair.port.raise(vector);
    }
    assert_eq!(pair.command(Command::Update, ALL), Error::None);
    assert_eq!(pair.command(Command::Map, ALL), Error::None);
    assert_eq!(pair.command(Command::Update, VECTORS), Error::Index);
    pair.resend(0);
    assert_eq!(pair.command(Command::Disable, 0), Error::None);
    let mut after = bytes(&pair);
    let area = AREA as usize;
    let own = [
        header::ASK,
        header::DONE,
        header::ERROR,
        header::ERROR_INDEX,
    ];
    for field in own {
        let at = area + field as usize;
        after[at..at + 4].copy_from_slice(&before[at..at + 4]);
    }
    for vector in 0..VECTORS as usize {
        let at = area + shape.gates as usize + (vector << shape.shift);
        assert_eq!(after[at], before[at] | (MASK | PENDING) as u8);
        after[at] = before[at];
    }
    assert!(after == before);
}

#[test]
fn resend_is_not_answered() {
    let mut pair = Pair::running();
    assert_eq!(pair.command(Command::Update, VECTORS), Error::Index);
    let done = pair.get(header::DONE);
    pair.set(header::ASK, done + 1);
    pair.resend(1);
    pair.resend(VECTORS);
    assert_eq!(pair.get(header::DONE), done);
    assert_eq!(pair.state_error(), Error::Index, "the last command's");
}

#[test]
fn what_an_area_says_takes_no_memory_of_the_device() {
    let peak = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("VmPeak:"));
        let number = line.and_then(|line| line.split_whitespace().nth(1));
        number.unwrap().parse::<u64>().unwrap()
    };
    let before = peak();
    for (field, value) in [
        (header::VECTORS, u32::MAX),
        (header::QUEUES, u32::MAX),
        (header::LENGTH, u32::MAX),
    ] {
        let mut pair = Pair::new();
        pair.set(field, value);
        assert_ne!(pair.try_enable(AREA), Error::None);
    }
    let mut pair = Pair::running();
    pair.set(header::COUNT, u32::MAX);
    assert_eq!(pair.command(Command::UpdateRange, 0), Error::Index);
    // In KiB; 2^32 messages or map entries would be sixteen times this, and more.
    assert!(peak() - before < 1 << 20);
}
