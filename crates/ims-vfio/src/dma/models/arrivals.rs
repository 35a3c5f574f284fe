// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Models: who waits for a map is woken by every change that ends its wait.
//!
//! No time passes in a model, so who is not woken sleeps for ever, and the model
//! says that all are blocked.

use std::time::Duration;

use super::*;

/// What work that has page 0 and misses page 1 finds when its wait is over: what the
/// wait said, and whether the page is there.
fn wait(dma: &Dma) -> (bool, bool) {
    let Ok(session) = dma.session() else {
        return (false, false);
    };
    let pinned = session.pinned();
    if pinned.window(0, 1, Access::READ).is_err() {
        return (false, false);
    }
    if pinned.window(SIZE, 1, Access::READ).is_ok() {
        return (true, true);
    }
    let waited = pinned.wait(Duration::from_secs(1));
    (waited, pinned.window(SIZE, 1, Access::READ).is_ok())
}

/// Runs `change` beside one that waits, and has `check` look at what that found.
fn meet(change: fn(&Dma), check: fn((bool, bool))) {
    loom::model(move || {
        let dma = mapped();
        let waiter = thread::spawn({
            let dma = dma.clone();
            move || wait(&dma)
        });
        change(&dma);
        check(waiter.join().unwrap());
    });
}

#[test]
fn loom_arrivals_a_map_is_found_or_ends_the_wait() {
    meet(
        |dma| dma.map(map(SIZE)).unwrap(),
        |found| assert_eq!(found, (true, true)),
    );
}

#[test]
fn loom_arrivals_the_end_of_the_session_ends_the_wait() {
    let not_there = |found| assert_eq!(found, (false, false));
    meet(|dma| dma.block(Hold::nobody()), not_there);
    meet(|dma| dma.unmap_all(Hold::nobody()), not_there);
}

#[test]
fn loom_arrivals_who_keeps_what_is_unmapped_does_not_wait() {
    meet(
        |dma| dma.unmap(0, SIZE, Hold::nobody()).unwrap(),
        |found| assert_eq!(found, (false, false)),
    );
}

#[test]
fn loom_arrivals_one_map_ends_all_waits() {
    loom::model(|| {
        let dma = mapped();
        let waiters = [(); 2].map(|()| {
            let dma = dma.clone();
            thread::spawn(move || wait(&dma))
        });
        dma.map(map(SIZE)).unwrap();
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap(), (true, true));
        }
    });
}
