// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A raise against commands: what they end is over when they are done.

use std::sync::Arc;

use ims::message::Message;
use loom::thread;

use super::bench::{Bench, OLD, message};
use crate::layout::vis::{MASK, PENDING};
use crate::notifier::Event;

#[test]
fn loom_vis_a_masked_vector_sends_nothing_once_a_command_is_done() {
    loom::model(|| {
        let bench = Bench::with(0, [message(OLD), message(1)]);
        let device = Arc::clone(&bench);
        let device = thread::spawn(move || device.raise(1));
        bench.mask();
        bench.sender.latch(0, &[]);
        bench.receiver.close();
        device.join().unwrap();
        let kept = bench.gate_now() == MASK | PENDING;
        assert_eq!(bench.receiver.taken(0), u32::from(!kept));
    });
}

#[test]
fn loom_vis_an_updated_vector_sends_its_new_message_once_the_update_is_done() {
    loom::model(|| {
        let bench = Bench::with(0, [message(OLD), message(1)]);
        let device = Arc::clone(&bench);
        let device = thread::spawn(move || device.raise(1));
        bench.sender.latch(0, &[message(2)]);
        bench.receiver.close();
        device.join().unwrap();
        assert_eq!(bench.receiver.taken(0), 1, "lost or doubled");
        assert_eq!(bench.gate_now(), 0);
    });
}

#[test]
fn loom_vis_a_raise_that_meets_a_vectors_first_message_is_announced_once() {
    loom::model(|| {
        let bench = Bench::with(0, [Message::default(), message(1)]);
        let device = Arc::clone(&bench);
        let device = thread::spawn(move || device.raise(1));
        bench.sender.latch(0, &[message(0)]);
        device.join().unwrap();
        assert_eq!(bench.receiver.taken(0), 1);
        assert_eq!(bench.gate_now(), 0);
    });
}

#[test]
fn loom_vis_a_disabled_store_sends_nothing_and_enabled_again_it_is_another() {
    loom::model(|| {
        let bench = Bench::with(0, [message(OLD), message(1)]);
        bench.sender.table.map(Event::Used(0), 0);
        let device = Arc::clone(&bench);
        let device = thread::spawn(move || device.sender.event(Event::Used(0)));
        bench.sender.close();
        bench.receiver.close();
        bench.sender.table.map(Event::Used(0), 1);
        bench.sender.open(&[message(0), message(1)]);
        let told = device.join().unwrap();
        let sent = bench.receiver.taken(0) + bench.receiver.taken(1);
        assert_eq!(sent, u32::from(told), "told of nothing, or lost");
    });
}

#[test]
fn loom_vis_an_event_goes_by_message_or_says_that_it_does_not() {
    loom::model(|| {
        let bench = Bench::disabled(0, false);
        let device = Arc::clone(&bench);
        let device = thread::spawn(move || device.sender.event(Event::Used(0)));
        bench.sender.table.map(Event::Used(0), 1);
        bench.sender.open(&[message(0), message(1)]);
        let told = device.join().unwrap();
        assert_eq!(bench.receiver.taken(1), u32::from(told));
    });
}

#[test]
fn loom_vis_an_event_is_its_new_vectors_once_the_map_is_done() {
    loom::model(|| {
        let bench = Bench::with(0, [message(OLD), message(1)]);
        bench.sender.table.map(Event::Used(0), 0);
        let device = Arc::clone(&bench);
        let device = thread::spawn(move || device.sender.event(Event::Used(0)));
        bench.sender.table.map(Event::Used(0), 1);
        bench.sender.wait();
        bench.receiver.close();
        assert!(device.join().unwrap());
        assert_eq!(bench.receiver.taken(0) + bench.receiver.taken(1), 1);
    });
}

#[test]
fn loom_vis_no_event_is_refused_once_the_enabling_is_done() {
    loom::model(|| {
        let bench = Bench::disabled(0, false);
        let device = Arc::clone(&bench);
        let device = thread::spawn(move || {
            let done = device.receiver.is_closed();
            let told = device.sender.event(Event::Used(0));
            assert!(told || !done, "refused after the enabling");
        });
        bench.sender.open(&[message(0), message(1)]);
        bench.receiver.close();
        device.join().unwrap();
    });
}
