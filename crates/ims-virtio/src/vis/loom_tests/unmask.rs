// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A raise against the driver's unmask, in memory alone.

use std::sync::Arc;

use loom::thread;

use super::bench::Bench;
use crate::layout::vis::{MASK, PENDING};

#[test]
fn loom_vis_a_raise_that_meets_an_unmask_is_announced_once() {
    loom::model(|| {
        let bench = Bench::enabled(MASK);
        let device = Arc::clone(&bench);
        let device = thread::spawn(move || device.raise(1));
        bench.unmask();
        device.join().unwrap();
        assert_eq!(bench.receiver.taken(0), 1);
        assert_eq!(bench.gate_now(), 0);
    });
}

#[test]
fn loom_vis_two_raises_that_meet_an_unmask_are_each_announced_with_their_data() {
    loom::model(|| {
        let bench = Bench::enabled(MASK);
        let devices = [1, 0x100].map(|amount| {
            let device = Arc::clone(&bench);
            thread::spawn(move || device.raise(amount))
        });
        bench.unmask();
        let early = bench.receiver.taken(0);
        let seen = bench.data();
        for device in devices {
            device.join().unwrap();
        }
        let late = bench.receiver.taken(0);
        assert!(matches!(early + late, 1 | 2), "lost, or one too many");
        // Who is not announced by a later one met the first in time.
        assert!(late > 0 || seen == 0x101, "data without an interrupt");
        assert_eq!(bench.gate_now(), 0);
    });
}

#[test]
fn loom_vis_a_raise_that_finds_a_kept_one_unmasked_announces_both() {
    loom::model(|| {
        // The driver has unmasked, and its RESEND is on its way.
        let bench = Bench::enabled(MASK);
        let first = Arc::clone(&bench);
        let first = thread::spawn(move || first.raise(1));
        bench.unmask();
        bench.raise(0x100);
        let (taken, seen) = (bench.receiver.taken(0), bench.data());
        first.join().unwrap();
        let late = bench.receiver.taken(0);
        assert!(taken > 0);
        assert!(late > 0 || seen == 0x101, "data without an interrupt");
        assert_eq!(bench.gate_now(), 0);
    });
}

#[test]
fn loom_vis_who_takes_what_was_kept_sees_what_its_raiser_wrote() {
    loom::model(|| {
        let bench = Bench::enabled(MASK);
        let device = Arc::clone(&bench);
        let device = thread::spawn(move || device.raise(1));
        let taken = bench.unmask_and_take();
        if taken {
            assert_eq!(bench.data(), 1, "taken without its data");
        }
        device.join().unwrap();
        assert_eq!(bench.receiver.taken(0), u32::from(!taken));
        assert_eq!(bench.gate_now(), 0);
    });
}

#[test]
fn loom_vis_a_raise_that_meets_a_kept_one_is_seen_by_who_takes_that() {
    loom::model(|| {
        let bench = Bench::enabled(MASK | PENDING);
        let device = Arc::clone(&bench);
        let device = thread::spawn(move || device.raise(1));
        assert!(bench.unmask_and_take(), "kept before");
        let seen = bench.data();
        device.join().unwrap();
        let announced = bench.receiver.taken(0);
        assert!(announced == 1 || seen == 1, "kept nowhere, and not seen");
        assert_eq!(bench.gate_now(), 0);
    });
}

#[test]
fn loom_vis_the_driver_and_the_device_do_not_both_take_one() {
    loom::model(|| {
        let bench = Bench::enabled(PENDING);
        let driver = Arc::clone(&bench);
        let driver = thread::spawn(move || driver.take());
        bench.sender.take(0);
        let taken = driver.join().unwrap();
        assert_eq!(bench.receiver.taken(0), u32::from(!taken));
        assert_eq!(bench.gate_now(), 0);
    });
}
