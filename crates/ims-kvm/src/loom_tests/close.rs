// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A line given up while a commit has it in hand.

use std::sync::Arc;

use loom::thread;

use super::kernel::Kernel;

#[test]
fn loom_what_was_written_before_a_close_is_raised_by_then_and_no_irqfd_stays() {
    loom::model(|| {
        let (line, kernel) = Kernel::line();
        kernel.write();
        let (committed, commit) = (Arc::clone(&line), Arc::clone(&kernel));
        let commit = thread::spawn(move || commit.commit(&committed));
        let forwarded = Arc::clone(&line);
        let forwarder = thread::spawn(move || {
            let _ = forwarded.fire();
        });
        line.close(true);
        assert_eq!(kernel.came(), (1, false));
        commit.join().unwrap();
        forwarder.join().unwrap();
        assert!(!kernel.is_irqfd());
        assert_eq!(kernel.came(), (1, false));
    });
}
