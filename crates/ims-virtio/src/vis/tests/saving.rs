// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A device that is saved, and goes on elsewhere.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use ims::message::Message;

use super::driver::{NONE, Pair, QUEUES, REQUESTER, VECTORS, message};
use crate::layout::vis::{Command, Error, MASK, NO_VECTOR, PENDING};
use crate::notifier::Event;
use crate::vis::{Offer, RestoreError, Vis, VisState};

/// Puts a new device in place of the pair's, which has the state.
fn go_on(pair: &mut Pair, state: &VisState) {
    let offer = Offer { vectors: VECTORS };
    let (memory, sink) = (Arc::clone(&pair.ram), Arc::clone(&pair.sink));
    pair.vis = Vis::new(offer, QUEUES, REQUESTER, memory, sink).unwrap();
    pair.port = pair.vis.port();
    pair.vis.restore(state).unwrap();
    assert_eq!(pair.vis.save(), *state);
}

#[test]
fn what_was_latched_masked_and_kept_goes_on_as_it_was() {
    let mut pair = Pair::new();
    pair.set_map(3, NO_VECTOR);
    pair.program(6, Message::default());
    pair.enable();
    pair.set_map(0, 5);
    assert_eq!(pair.command(Command::Map, 0), Error::None);
    pair.mask(1);
    pair.port.raise(1);
    pair.port.raise(6);
    // Not told of: not latched, and not taken over.
    pair.set_map(2, 7);
    pair.program(2, message(7));
    let state = pair.vis.save();
    go_on(&mut pair, &state);
    for queue in 0..QUEUES {
        assert!(pair.port.event(Event::Used(queue)));
    }
    assert!(pair.port.event(Event::Config));
    assert_eq!(pair.sent(), [5, 2, VECTORS - 1]);
    assert_eq!(pair.gate(1), MASK | PENDING);
    assert!(pair.unmask(1));
    pair.resend(1);
    pair.program(6, message(6));
    assert_eq!(pair.command(Command::Update, 6), Error::None);
    assert_eq!(pair.sent(), [1, 6]);
}

#[test]
fn what_was_unmasked_and_kept_when_it_was_saved_is_sent() {
    let mut pair = Pair::running();
    pair.mask(1);
    pair.port.raise(1);
    assert!(pair.unmask(1));
    let state = pair.vis.save();
    go_on(&mut pair, &state);
    pair.resend(1);
    assert_eq!(pair.sent(), [1]);
}

#[test]
fn a_store_that_is_not_enabled_keeps_its_registers() {
    let mut pair = Pair::new();
    assert_eq!(pair.try_enable(0x10_0000), Error::Area);
    let state = pair.vis.save();
    go_on(&mut pair, &state);
    assert_eq!(pair.state_error(), Error::Area);
    assert!(!pair.port.event(Event::Used(0)));
    assert_eq!(pair.sent(), NONE);
    let saved = pair.vis.save();
    assert_eq!((saved.address, saved.area), (0x10_0000, None));
}

#[test]
fn a_damaged_state_is_refused_and_changes_nothing() {
    let mut pair = Pair::running();
    let good = pair.vis.save();
    let damaged = |damage: &dyn Fn(&mut crate::vis::AreaState)| {
        let mut state = good.clone();
        damage(state.area.as_mut().unwrap());
        state
    };
    for (state, error) in [
        (
            damaged(&|area| area.address += 1),
            RestoreError::Area(Error::Alignment),
        ),
        (
            damaged(&|area| area.address = !63),
            RestoreError::Area(Error::Area),
        ),
        (
            damaged(&|area| area.header.vectors = VECTORS + 1),
            RestoreError::Area(Error::Vectors),
        ),
        (
            damaged(&|area| area.header.queues = u32::MAX),
            RestoreError::Area(Error::Queues),
        ),
        (
            damaged(&|area| area.header.gate_shift = 63),
            RestoreError::Area(Error::Alignment),
        ),
        (
            damaged(&|area| area.header.gates = 0),
            RestoreError::Area(Error::Bounds),
        ),
        (
            damaged(&|area| {
                area.messages.pop();
            }),
            RestoreError::Count,
        ),
        (damaged(&|area| area.map.push(0)), RestoreError::Count),
        (
            damaged(&|area| area.messages[2].address = 1),
            RestoreError::Message { vector: 2 },
        ),
        (
            damaged(&|area| area.map[1] = VECTORS),
            RestoreError::Vector { vector: VECTORS },
        ),
        (
            damaged(&|area| area.config = 99),
            RestoreError::Vector { vector: 99 },
        ),
        (
            damaged(&|area| area.kept = vec![2, 1]),
            RestoreError::Vector { vector: 1 },
        ),
        (
            damaged(&|area| area.kept = vec![VECTORS]),
            RestoreError::Vector { vector: VECTORS },
        ),
    ] {
        assert_eq!(pair.vis.restore(&state), Err(error));
        assert_eq!(pair.vis.save(), good);
    }
    let mut state = good.clone();
    state.error = 10;
    assert_eq!(
        pair.vis.restore(&state),
        Err(RestoreError::Error { error: 10 })
    );
    pair.port.raise(1);
    assert_eq!(pair.sent(), [1]);
}

#[test]
fn what_was_kept_without_a_gate_goes_along() {
    let mut pair = Pair::running();
    let mut state = pair.vis.save();
    state.area.as_mut().unwrap().kept = vec![3];
    state.area.as_mut().unwrap().messages[4] = Message::default();
    state.area.as_mut().unwrap().kept.push(4);
    pair.vis.restore(&state).unwrap();
    assert_eq!(pair.sent(), [3]);
    assert_eq!(pair.vis.save().area.unwrap().kept, [4]);
    assert_eq!(pair.command(Command::Update, 4), Error::None);
    assert_eq!(pair.sent(), [4]);
    assert!(!pair.sink.busy.load(Ordering::SeqCst));
}
