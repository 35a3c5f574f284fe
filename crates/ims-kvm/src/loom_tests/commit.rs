// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A commit that makes a line an irqfd, while the guest writes to the vector and
//! somebody to the eventfd.

use std::sync::Arc;

use loom::thread;

use super::kernel::Kernel;

#[test]
fn loom_a_commit_that_meets_a_mask_attaches_nothing_that_is_masked() {
    loom::model(|| {
        let (line, kernel) = Kernel::line();
        let (committed, commit) = (Arc::clone(&line), Arc::clone(&kernel));
        let commit = thread::spawn(move || commit.commit(&committed));
        let writer = Arc::clone(&kernel);
        let writer = thread::spawn(move || writer.write());
        kernel.mask(&line);
        commit.join().unwrap();
        writer.join().unwrap();
        kernel.end(&line);
    });
}

#[test]
fn loom_a_commit_that_meets_a_new_message_sends_no_old_one() {
    loom::model(|| {
        let (line, kernel) = Kernel::irqfd();
        let (committed, commit) = (Arc::clone(&line), Arc::clone(&kernel));
        let commit = thread::spawn(move || commit.commit(&committed));
        let writer = Arc::clone(&kernel);
        let writer = thread::spawn(move || writer.write());
        kernel.program(&line, 1);
        kernel.program(&line, 0);
        kernel.program(&line, 2);
        commit.join().unwrap();
        writer.join().unwrap();
        kernel.end(&line);
    });
}

#[test]
fn loom_a_line_that_is_demoted_while_it_is_written_loses_nothing() {
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
        line.demote();
        line.lose();
        writer.join().unwrap();
        forwarder.join().unwrap();
        kernel.end(&line);
    });
}
