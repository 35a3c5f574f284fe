// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A CPU's look at whose a vector is, against an allocation.

use alloc::sync::Arc;
use loom::sync::atomic::AtomicU64;
use loom::sync::atomic::Ordering::Relaxed;
use loom::thread;

use crate::domain::{Dispatch, Virq};
use crate::vector::CpuId;

#[test]
fn loom_a_cpu_that_finds_an_interrupt_at_a_vector_finds_its_handler() {
    loom::model(|| {
        let dispatch = Dispatch::default();
        dispatch.add_cpus(1);
        let handler = Arc::new(AtomicU64::new(0));
        let (lookup, registered) = (dispatch.clone(), Arc::clone(&handler));
        let cpu = thread::spawn(move || {
            if let Some(virq) = lookup.virq(CpuId(0), 0x40) {
                assert_eq!(virq, Virq(7));
                assert_eq!(registered.load(Relaxed), 1, "live before its handler");
            }
        });
        handler.store(1, Relaxed);
        dispatch.set(CpuId(0), 0x40, Some(Virq(7)));
        cpu.join().unwrap();
        assert_eq!(dispatch.virq(CpuId(0), 0x40), Some(Virq(7)));
    });
}
