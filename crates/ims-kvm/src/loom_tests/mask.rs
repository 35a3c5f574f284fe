// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A write to the eventfd while the guest masks or unmasks.

use std::sync::Arc;

use loom::thread;

use super::kernel::Kernel;

#[test]
fn loom_a_write_that_meets_a_mask_is_delivered_or_pending_once() {
    loom::model(|| {
        let (line, kernel) = Kernel::irqfd();
        let writer = Arc::clone(&kernel);
        let writer = thread::spawn(move || writer.write());
        let forwarded = Arc::clone(&line);
        let forwarder = thread::spawn(move || {
            let _ = forwarded.fire();
        });
        kernel.mask(&line);
        writer.join().unwrap();
        forwarder.join().unwrap();
        kernel.end(&line);
        let (came, pending) = kernel.came();
        assert_eq!(came + u32::from(pending), 1);
    });
}

#[test]
fn loom_writes_that_meet_a_mask_and_its_unmask_are_all_delivered() {
    loom::model(|| {
        let (line, kernel) = Kernel::irqfd();
        let writer = Arc::clone(&kernel);
        let writer = thread::spawn(move || {
            writer.write();
            writer.write();
        });
        let forwarded = Arc::clone(&line);
        let forwarder = thread::spawn(move || {
            let _ = forwarded.fire();
        });
        kernel.mask(&line);
        kernel.unmask(&line);
        writer.join().unwrap();
        forwarder.join().unwrap();
        kernel.end(&line);
        assert!(!kernel.came().1, "pending though unmasked");
    });
}
