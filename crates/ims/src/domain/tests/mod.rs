// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The domain room against a model, its errors undone, its examples, its threads.
// Helpers of tests are tests, which the lints do not see.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

mod host;
mod machine;
mod model;
mod ops;
mod snapshot;

mod dsa;
mod guest_table;
mod hotplug;
mod moving;
mod ownership;
mod random;
mod reuse;
mod stress;
mod undone;
