// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A guest that programs its store and its unit, in front of a VM that writes down
//! what it is sent.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test"
)]

mod bench;
mod isolation;
mod programming;
mod registers;
mod state;
mod sync;
