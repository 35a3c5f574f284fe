// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A raise against a busy sink that becomes ready.

use std::sync::Arc;

use loom::thread;

use super::bench::{Bench, message};

#[test]
fn loom_vis_what_a_busy_sink_leaves_is_announced_once_when_it_is_ready() {
    loom::model(|| {
        let bench = Bench::disabled(0, true);
        bench.sender.open(&[message(0), message(1)]);
        let device = Arc::clone(&bench);
        let device = thread::spawn(move || device.raise(1));
        bench.receiver.be_ready();
        bench.sender.retry(0);
        let (early, seen) = (bench.receiver.taken(0), bench.data());
        assert!(early == 0 || seen == 1, "announced without its data");
        device.join().unwrap();
        assert_eq!(early + bench.receiver.taken(0), 1);
        assert_eq!(bench.gate_now(), 0);
    });
}

#[test]
fn loom_vis_a_raise_that_takes_a_kept_one_along_announces_its_data() {
    loom::model(|| {
        let bench = Bench::disabled(0, true);
        bench.sender.open(&[message(0), message(1)]);
        let first = Arc::clone(&bench);
        let first = thread::spawn(move || first.raise(1));
        bench.receiver.be_ready();
        // Nothing but the gate has told this one of the first.
        bench.raise(0x100);
        let (early, seen) = (bench.receiver.taken(0), bench.data());
        bench.sender.retry(0);
        first.join().unwrap();
        let late = bench.receiver.taken(0);
        assert!(early > 0);
        assert!(late > 0 || seen == 0x101, "data without an interrupt");
        assert_eq!(bench.gate_now(), 0);
    });
}
