// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Waiting for memory that is not mapped yet.

use std::thread;
use std::time::Duration;

use super::*;

/// Longer than any test: whoever waits this long was not woken.
const EVER: Duration = Duration::from_secs(600);

/// Work that has page 0, and misses page 1.
fn missing(dma: &Dma, ram: &Arc<Ram>) -> Pinned {
    dma.map(map(0, 4096, ram, 0)).unwrap();
    let pinned = dma.session().unwrap().pinned();
    pinned.window(0, 1, Access::READ).unwrap();
    let missed = pinned.window(4096, 1, Access::READ).unwrap_err();
    assert_eq!(missed, DmaError::Unmapped { address: 4096 });
    pinned
}

/// What a wait says that `change` ends, whether it comes before or during it.
fn wait_through(change: impl Fn(&Dma, &Arc<Ram>) + Sync) -> [bool; 2] {
    [false, true].map(|during| {
        let (dma, ram) = (allowed(), Ram::new(8192));
        let pinned = missing(&dma, &ram);
        if !during {
            change(&dma, &ram);
            return pinned.wait(EVER);
        }
        thread::scope(|scope| {
            let waiting = scope.spawn(|| pinned.wait(EVER));
            while dma.inner.arrivals.waiting() == 0 {
                thread::yield_now();
            }
            change(&dma, &ram);
            waiting.join().unwrap()
        })
    })
}

#[test]
fn a_map_ends_the_wait_and_the_page_is_there() {
    assert_eq!(
        wait_through(|dma, ram| dma.map(map(4096, 4096, ram, 4096)).unwrap()),
        [true, true]
    );
    let (dma, ram) = (allowed(), Ram::new(8192));
    let pinned = missing(&dma, &ram);
    dma.map(map(4096, 4096, &ram, 4096)).unwrap();
    assert!(pinned.wait(EVER));
    assert!(pinned.window(4096, 1, Access::READ).is_ok());
}

#[test]
fn the_end_of_the_session_ends_the_wait() {
    let block = wait_through(|dma, _| dma.block(Hold::nobody()));
    let unmap_all = wait_through(|dma, _| dma.unmap_all(Hold::nobody()));
    assert_eq!([block, unmap_all], [[false, false]; 2]);
}

#[test]
fn who_keeps_what_is_taken_away_does_not_wait() {
    let unmap = wait_through(|dma, _| dma.unmap(0, 4096, Hold::nobody()).unwrap());
    assert_eq!(unmap, [false, false]);
}

#[test]
fn a_wait_has_an_end_without_a_map_too() {
    let (dma, ram) = (allowed(), Ram::new(8192));
    let pinned = missing(&dma, &ram);
    assert!(pinned.wait(Duration::from_millis(1)));
    assert!(pinned.wait(Duration::ZERO));
    assert_eq!(dma.inner.arrivals.waiting(), 0);
}

#[test]
fn only_a_missing_page_is_waited_for() {
    let (dma, ram) = (allowed(), Ram::new(8192));
    let pinned = missing(&dma, &ram);
    let read_only = Map {
        access: Access::READ,
        ..map(4096, 4096, &ram, 4096)
    };
    dma.map(read_only).unwrap();
    let denied = pinned.window(4096, 1, Access::WRITE).unwrap_err();
    assert_eq!(denied, DmaError::Denied { address: 4096 });
    assert!(!pinned.wait(EVER));
    assert!(!dma.session().unwrap().pinned().wait(EVER));
}
