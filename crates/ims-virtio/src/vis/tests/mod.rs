// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Interrupt storage against a driver that does what the specification says, and one
//! that does not.
#![allow(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "tests"
)]

mod commands;
mod driver;
mod hostile;
mod raising;
mod random;
mod saving;
mod stress;
