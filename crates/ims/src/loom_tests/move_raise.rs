// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Move against raise, through the remap unit: one entry is rewritten, no slot.

use loom::thread;

use super::bench::raise;
use super::remapped::{NEW, remapped};

#[test]
fn loom_after_a_move_and_the_wait_nothing_arrives_at_the_old_vector() {
    loom::model(|| {
        let (mut bench, mut control, two) = remapped();
        let (port, mut raiser) = (bench.port.clone(), bench.raiser());
        bench.start(thread::spawn(move || raise(&port, &mut raiser)));
        control.retarget(0, NEW).unwrap();
        bench.grace.wait();
        // The old vector is given to somebody else here, if it is quiet.
        let (early, _) = two.pending();
        bench.finish();
        let (old, new) = two.pending();
        assert_eq!(early, old, "an old raise at a vector given away");
        assert_ne!(old, new, "delivered once, old or new");
    });
}

#[test]
fn loom_a_raise_after_the_move_is_known_arrives_at_the_new_vector_only() {
    use crate::sync::{AtomicU64, Ordering};
    use alloc::sync::Arc;

    loom::model(|| {
        let (mut bench, mut control, two) = remapped();
        let told = Arc::new(AtomicU64::new(0));
        let (port, mut raiser, hears) = (bench.port.clone(), bench.raiser(), Arc::clone(&told));
        let device = thread::spawn(move || {
            let knew = hears.load(Ordering::Acquire) == 1;
            raise(&port, &mut raiser);
            knew
        });
        control.retarget(0, NEW).unwrap();
        told.store(1, Ordering::Release);
        let knew = device.join().unwrap();
        let (old, new) = two.pending();
        assert_ne!(old, new, "delivered once, old or new");
        assert!(new || !knew, "sent by an entry it knew to be rewritten");
    });
}
