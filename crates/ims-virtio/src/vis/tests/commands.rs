// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Registers and commands of a driver that keeps to the specification.

use ims::message::Message;

use super::driver::{AREA, NONE, Pair, QUEUES, VECTORS, message};
use crate::layout::vis::{ALL, Command, Error, MASK, NO_VECTOR, PENDING, header, register, state};
use crate::notifier::Event;

fn moved(vector: u32) -> Message {
    Message {
        address: 0x1_0000_0000 | message(vector).address,
        data: 0x9000 | vector,
    }
}

#[test]
fn registers_are_those_of_the_layout_and_no_others() {
    let mut pair = Pair::new();
    for offset in 0..0x200 {
        let ours = matches!(offset, 0xe0 | 0xe4 | 0xe8 | 0xec | 0xf0);
        assert_eq!(pair.vis.read(offset).is_some(), ours, "{offset:#x}");
        assert_eq!(pair.vis.write(offset, 0), ours, "{offset:#x}");
    }
    assert_eq!(pair.vis.read(register::VECTORS), Some(VECTORS));
    pair.vis.write(register::VECTORS, 1);
    pair.vis.write(register::STATE, 1);
    assert_eq!(pair.vis.read(register::VECTORS), Some(VECTORS));
    assert!(!pair.vis.enabled());
}

#[test]
fn four_accesses_set_up_any_number_of_vectors() {
    let mut pair = Pair::new();
    assert!(pair.vis.read(register::VECTORS).unwrap() >= pair.shape.vectors);
    pair.vis.write(register::ADDRESS_LOW, AREA as u32);
    pair.vis.write(register::ADDRESS_HIGH, 0);
    pair.vis.write(register::COMMAND, Command::Enable.with(0));
    assert_eq!(pair.get(header::ERROR), 0);
    assert_eq!(pair.state(), state::ENABLED);
    for vector in 0..VECTORS {
        pair.port.raise(vector);
    }
    assert_eq!(pair.sent(), (0..VECTORS).collect::<Vec<_>>());
}

#[test]
fn an_update_is_what_makes_a_message_count() {
    let mut pair = Pair::running();
    pair.program(1, moved(1));
    pair.program(2, moved(2));
    pair.port.raise(1);
    assert_eq!(pair.sink.taken(), [message(1)], "not told of yet");
    assert_eq!(pair.command(Command::Update, 1), Error::None);
    pair.port.raise(1);
    pair.port.raise(2);
    assert_eq!(pair.sink.taken(), [moved(1), message(2)]);
    assert_eq!(pair.port.message(1), Some(moved(1)));
}

#[test]
fn a_range_or_all_are_updated_by_one_write() {
    let mut pair = Pair::running();
    (0..VECTORS).for_each(|vector| pair.program(vector, moved(vector)));
    pair.set(header::FIRST, 2);
    pair.set(header::COUNT, 3);
    assert_eq!(pair.command(Command::UpdateRange, 0), Error::None);
    (1..6).for_each(|vector| pair.port.raise(vector));
    let expected = [message(1), moved(2), moved(3), moved(4), message(5)];
    assert_eq!(pair.sink.taken(), expected);
    assert_eq!(pair.command(Command::Update, ALL), Error::None);
    (0..VECTORS).for_each(|vector| pair.port.raise(vector));
    let expected: Vec<_> = (0..VECTORS).map(moved).collect();
    assert_eq!(pair.sink.taken(), expected);
}

#[test]
fn a_range_of_none_is_done() {
    let mut pair = Pair::running();
    pair.set(header::FIRST, VECTORS);
    pair.set(header::COUNT, 0);
    assert_eq!(pair.command(Command::UpdateRange, 0), Error::None);
}

#[test]
fn a_vector_without_a_message_keeps_until_it_is_given_one() {
    let mut pair = Pair::new();
    pair.program(1, Message::default());
    pair.enable();
    pair.port.raise(1);
    assert_eq!(pair.gate(1), PENDING);
    pair.resend(1);
    assert_eq!(pair.sent(), NONE);
    pair.program(1, message(1));
    assert_eq!(pair.command(Command::Update, 1), Error::None);
    assert_eq!(pair.sent(), [1]);
    assert_eq!(pair.gate(1), 0);
    // And back.
    pair.program(1, Message::default());
    assert_eq!(pair.command(Command::Update, 1), Error::None);
    pair.port.raise(1);
    assert_eq!(pair.sent(), NONE);
    assert_eq!(pair.port.message(1), None);
}

#[test]
fn what_is_pending_and_unmasked_is_sent_by_the_command_that_looks() {
    let mut pair = Pair::new();
    pair.set_gate(1, PENDING);
    pair.set_gate(2, PENDING | MASK);
    pair.enable();
    assert_eq!(pair.sent(), [1]);
    assert_eq!(pair.gate(2), PENDING | MASK);
    pair.set_gate(2, PENDING);
    pair.set_gate(3, PENDING);
    assert_eq!(pair.command(Command::Update, 2), Error::None);
    assert_eq!(pair.sent(), [2]);
    assert_eq!(pair.command(Command::Update, ALL), Error::None);
    assert_eq!(pair.sent(), [3]);
}

#[test]
fn a_masked_vector_moved_is_sent_with_its_new_message() {
    let mut pair = Pair::running();
    pair.mask(1);
    pair.port.raise(1);
    pair.program(1, moved(1));
    assert_eq!(pair.command(Command::Update, 1), Error::None);
    assert!(pair.sink.taken().is_empty());
    assert!(pair.unmask(1));
    pair.resend(1);
    assert_eq!(pair.sink.taken(), [moved(1)]);
}

#[test]
fn a_queue_that_gets_another_vector_leaves_what_was_kept_with_the_old_one() {
    let mut pair = Pair::running();
    pair.mask(1);
    pair.port.event(Event::Used(1));
    pair.set_map(1, 6);
    pair.set_map(2, 5);
    pair.set(header::CONFIG_VECTOR, 0);
    pair.port.event(Event::Used(1));
    assert_eq!(pair.sent(), NONE, "not told of yet");
    assert_eq!(pair.command(Command::Map, 1), Error::None);
    pair.port.event(Event::Used(1));
    pair.port.event(Event::Used(2));
    pair.port.event(Event::Config);
    assert_eq!(pair.sent(), [6, 2, VECTORS - 1]);
    assert_eq!(pair.gate(1), MASK | PENDING);
    assert_eq!(pair.command(Command::Map, ALL), Error::None);
    pair.port.event(Event::Used(2));
    pair.port.event(Event::Config);
    assert_eq!(pair.sent(), [5, 0]);
    assert_eq!(pair.port.vector(Event::Used(2)), Some(5));
}

#[test]
fn a_map_may_have_fewer_queues_than_the_device() {
    let mut pair = Pair::new();
    let mut shape = pair.shape;
    (shape.queues, shape.config) = (1, NO_VECTOR);
    pair.lay_out(shape);
    pair.enable();
    (0..QUEUES).for_each(|queue| assert!(pair.port.event(Event::Used(queue))));
    assert!(pair.port.event(Event::Config));
    assert_eq!(pair.sent(), [0]);
}

#[test]
fn every_spacing_of_gates_works() {
    for shift in 2..=6 {
        let mut pair = Pair::new();
        let mut shape = pair.shape;
        (shape.shift, shape.length) = (shift, shape.gates + (VECTORS << shift));
        pair.lay_out(shape);
        pair.enable();
        (0..VECTORS).for_each(|vector| {
            pair.mask(vector);
            pair.port.raise(vector);
        });
        assert!((0..VECTORS).all(|vector| pair.gate(vector) == MASK | PENDING));
        assert!(pair.unmask(3));
        pair.resend(3);
        assert_eq!(pair.sent(), [3]);
    }
}

#[test]
fn disabled_it_leaves_the_area_alone_and_may_be_enabled_elsewhere() {
    let mut pair = Pair::running();
    pair.mask(1);
    assert_eq!(pair.command(Command::Disable, 0), Error::None);
    let area = pair.get(header::DONE);
    pair.port.raise(1);
    pair.set(header::ASK, 77);
    pair.vis.write(register::COMMAND, Command::Disable.with(0));
    pair.vis.write(register::COMMAND, Command::Update.with(0));
    assert_eq!(pair.state_error(), Error::Command);
    assert_eq!((pair.get(header::DONE), pair.gate(1)), (area, MASK));
    pair.enable();
    pair.port.raise(1);
    assert_eq!(pair.gate(1), MASK | PENDING);
}

#[test]
fn a_reset_forgets_everything_and_writes_nothing() {
    let mut pair = Pair::running();
    let done = pair.get(header::DONE);
    pair.vis.reset();
    assert_eq!(pair.state(), 0);
    assert!(!pair.port.event(Event::Used(0)));
    assert_eq!(pair.get(header::DONE), done);
    assert_eq!(pair.port.message(0), None);
    // The address is gone too: what is at zero is no header.
    pair.vis.write(register::COMMAND, Command::Enable.with(0));
    assert_eq!(pair.state_error(), Error::Vectors);
    pair.enable();
    pair.port.raise(0);
    assert_eq!(pair.sent(), [0]);
}
