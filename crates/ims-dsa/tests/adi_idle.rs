// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What interfaces cost that do nothing. Alone in its process, whose threads and
//! descriptors it counts.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    unreachable_pub,
    dead_code,
    reason = "a test"
)]

#[path = "adi/guest.rs"]
mod guest;

use guest::Guest;
use ims_dsa::adi::{AdiConfig, Parent, ParentConfig};

fn count(what: &str) -> usize {
    let all = std::fs::read_dir(format!("/proc/self/{what}")).unwrap();
    all.count()
}

#[test]
fn a_thousand_interfaces_have_no_thread_no_descriptor_and_no_entry_of_their_own() {
    let parent = Parent::new(ParentConfig::default()).unwrap();
    let first = parent.compose(AdiConfig::default()).unwrap();
    let before = (count("task"), count("fd"));
    let many: Vec<_> = (0..1000)
        .map(|_| parent.compose(AdiConfig::default()).unwrap())
        .collect();
    assert_eq!((count("task"), count("fd")), before);
    assert_eq!(parent.usage().ims_used, 0);
    assert_eq!(parent.usage().interfaces, 1001);
    // Nor do those that were enabled.
    for device in &many {
        Guest::new(device).enable();
    }
    assert_eq!((count("task"), count("fd")), before);
    drop((first, many));
    assert_eq!(parent.usage().interfaces, 0);
}
