// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a guest sees and gets, sentence by sentence; any accesses against a plain
//! model; threads.
// Helpers of tests are tests, which the lints do not see.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation
)]

mod bench;
mod model;

mod accesses;
mod delivery;
mod random;
mod shape;
mod state;
mod stress;
