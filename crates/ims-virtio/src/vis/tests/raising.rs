// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Raising, masking, unmasking, and what is kept.

use std::sync::atomic::Ordering;

use super::driver::{NONE, Pair, QUEUES, VECTORS, message};
use crate::layout::vis::{Command, Error, MASK, NO_VECTOR, PENDING};
use crate::notifier::Event;
use crate::vis::{Offer, OfferError, Vis};

#[test]
fn events_go_by_the_map_and_raises_by_number() {
    let pair = Pair::running();
    for queue in 0..QUEUES {
        assert!(pair.port.event(Event::Used(queue)));
    }
    assert!(pair.port.event(Event::Config));
    pair.port.raise(5);
    assert_eq!(pair.sent(), [0, 1, 2, 3, VECTORS - 1, 5]);
}

#[test]
fn nothing_is_taken_before_it_is_enabled_nor_after_it_is_disabled() {
    let mut pair = Pair::new();
    assert!(!pair.port.event(Event::Used(0)) && !pair.port.event(Event::Config));
    pair.enable();
    assert_eq!(pair.command(Command::Disable, 0), Error::None);
    assert!(!pair.vis.enabled() && !pair.port.enabled());
    assert!(!pair.port.event(Event::Used(0)));
    pair.port.raise(0);
    assert_eq!(pair.port.losses().strays, 1);
    assert_eq!(pair.sent(), NONE);
}

#[test]
fn what_is_masked_is_kept_once_and_sent_when_it_is_asked_for() {
    let mut pair = Pair::running();
    pair.mask(2);
    pair.port.event(Event::Used(2));
    pair.port.event(Event::Used(2));
    assert_eq!(pair.sent(), NONE);
    assert_eq!(pair.gate(2), MASK | PENDING);
    pair.resend(2);
    assert_eq!(pair.sent(), NONE, "still masked");
    assert!(pair.unmask(2));
    pair.resend(2);
    pair.resend(2);
    assert_eq!(pair.sent(), [2]);
    assert_eq!(pair.gate(2), 0);
}

#[test]
fn what_the_driver_has_taken_itself_is_not_sent() {
    let mut pair = Pair::running();
    pair.mask(1);
    pair.port.raise(1);
    pair.set_gate(1, 0);
    pair.resend(1);
    assert_eq!(pair.sent(), NONE);
    pair.port.raise(1);
    assert_eq!(pair.sent(), [1]);
}

#[test]
fn a_raise_that_finds_an_unmasked_one_kept_takes_it_along() {
    let mut pair = Pair::running();
    pair.mask(1);
    pair.port.raise(1);
    assert!(pair.unmask(1));
    pair.port.raise(1);
    assert_eq!(pair.sent(), [1], "one for both");
    assert_eq!(pair.gate(1), 0);
    pair.resend(1);
    assert_eq!(pair.sent(), NONE);
}

#[test]
fn bits_of_a_gate_that_mean_nothing_stay() {
    let mut pair = Pair::running();
    const REST: u32 = !(MASK | PENDING);
    pair.set_gate(1, REST | MASK);
    pair.port.raise(1);
    assert_eq!(pair.gate(1), REST | MASK | PENDING);
    pair.set_gate(1, REST | PENDING);
    pair.resend(1);
    assert_eq!(pair.gate(1), REST);
    pair.set_gate(1, REST | PENDING);
    pair.port.raise(1);
    assert_eq!(pair.gate(1), REST);
    assert_eq!(pair.sent(), [1, 1]);
}

#[test]
fn a_queue_without_a_vector_is_not_told_of() {
    let mut pair = Pair::new();
    pair.set_map(1, NO_VECTOR);
    pair.enable();
    assert!(pair.port.event(Event::Used(1)));
    assert!(pair.port.event(Event::Used(QUEUES)), "none of the device's");
    assert_eq!(pair.sent(), NONE);
}

#[test]
fn what_a_busy_sink_leaves_is_kept_in_the_gate_and_sent_later() {
    let mut pair = Pair::running();
    pair.sink.busy.store(true, Ordering::SeqCst);
    pair.port.raise(3);
    assert_eq!(pair.gate(3), PENDING);
    pair.port.retry(3);
    assert_eq!(pair.gate(3), PENDING, "busy again");
    pair.sink.busy.store(false, Ordering::SeqCst);
    pair.mask(3);
    pair.port.retry(3);
    assert_eq!(pair.sent(), NONE, "masked meanwhile");
    assert!(pair.unmask(3));
    pair.port.retry(3);
    pair.resend(3);
    assert_eq!(pair.sent(), [3]);
}

#[test]
fn a_refused_message_is_counted_and_not_kept() {
    let pair = Pair::running();
    pair.sink.refuses.store(true, Ordering::SeqCst);
    pair.port.raise(3);
    assert_eq!(pair.gate(3), 0);
    assert_eq!(pair.port.losses().refused, 1);
}

#[test]
fn a_store_of_no_vectors_or_too_many_is_not_made() {
    for vectors in [0, 65_538, u32::MAX] {
        let pair = Pair::new();
        let (ram, sink) = (pair.ram, pair.sink);
        let made = Vis::new(Offer { vectors }, 1, super::driver::REQUESTER, ram, sink);
        assert_eq!(made.unwrap_err(), OfferError::Vectors { vectors });
    }
    assert_eq!(message(1).data & 0xff, 1);
}
