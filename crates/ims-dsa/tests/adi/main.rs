// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Virtual DSAs on one parent, as their clients and guests see them.
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

mod guest;
mod held;
mod life;
mod masks;
mod neighbours;
mod revocation;
mod work;

use ims_dsa::adi::{Parent, ParentConfig};

/// A small parent: two engines, 256 entries, two CPUs.
fn parent() -> Parent {
    Parent::new(ParentConfig {
        engines: 2,
        ims_entries: 256,
        ..ParentConfig::default()
    })
    .unwrap()
}
