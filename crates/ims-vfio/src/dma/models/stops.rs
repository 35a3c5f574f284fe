// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Model: nobody is told that a stop is over under the lock of the maps.

use super::*;

#[test]
fn loom_who_is_told_of_a_stop_while_another_begins_may_use_the_memory() {
    loom::model(|| {
        let dma = mapped();
        let told = Shared::new(AtomicU32::new(0));
        let hold = || {
            let (dma, told) = (dma.clone(), Shared::clone(&told));
            Hold::new(move || {
                // Takes the lock of the maps, and so must not be under it.
                assert_eq!(dma.maps(), 1);
                told.fetch_add(1, Ordering::Relaxed);
            })
        };
        let session = dma.session().unwrap();
        dma.block(hold());
        let worker = thread::spawn(move || drop(session));
        dma.block(hold());
        worker.join().unwrap();
        assert_eq!(told.load(Ordering::Relaxed), 2);
    });
}
