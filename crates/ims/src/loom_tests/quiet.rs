// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whether a CPU is quiet: the look before an old vector is given to anyone else.
//!
//! A CPU marks itself running before it harvests and takes the mark away when the
//! handlers are done. Who looks asks first whether the vector is pending, then
//! whether the CPU runs: two noes say that no handler of the vector runs or will.

use alloc::sync::Arc;
use loom::sync::atomic::AtomicU64;
use loom::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use loom::thread;

use super::bench::descriptor;
use crate::grace::Grace;

const VECTOR: u8 = 0x40;

#[test]
fn loom_a_cpu_that_looks_quiet_has_run_the_handler_and_will_not_again() {
    loom::model(|| {
        let target = descriptor();
        let running = Arc::new(AtomicU64::new(0));
        let handled = Arc::new(AtomicU64::new(0));
        assert!(!target.post(VECTOR, false).coalesced);
        let (cpu_target, cpu_running) = (Arc::clone(&target), Arc::clone(&running));
        let cpu_handled = Arc::clone(&handled);
        let cpu = thread::spawn(move || {
            cpu_running.store(1, Relaxed);
            for vector in cpu_target.harvest() {
                assert_eq!(vector, VECTOR);
                cpu_handled.store(1, Relaxed);
            }
            cpu_running.store(0, Release);
        });
        let quiet = !target.is_pending(VECTOR) && running.load(Acquire) == 0;
        if quiet {
            assert_eq!(handled.load(Relaxed), 1, "quiet with a handler on its way");
        }
        cpu.join().unwrap();
        assert!(!target.is_pending(VECTOR) && running.load(Acquire) == 0);
    });
}

#[test]
fn loom_after_the_wait_a_look_misses_no_post_of_a_raiser_that_has_left() {
    loom::model(|| {
        let mut grace = Grace::new();
        let mut raiser = grace.raiser();
        let target = descriptor();
        let entry = Arc::new(AtomicU64::new(u64::from(VECTOR)));
        let (posts, reads) = (Arc::clone(&target), Arc::clone(&entry));
        grace.device.replace(Some(thread::spawn(move || {
            let _flight = raiser.enter();
            if let Ok(vector @ 1..) = u8::try_from(reads.load(Relaxed)) {
                let _ = posts.post(vector, false);
            }
        })));
        // The entry leads elsewhere from here on.
        entry.store(0, Relaxed);
        grace.wait();
        let quiet = !target.is_pending(VECTOR);
        if let Some(device) = grace.device.take() {
            device.join().unwrap();
        }
        assert_eq!(quiet, !target.is_pending(VECTOR), "posted after the wait");
    });
}
