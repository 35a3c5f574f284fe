// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Machines that take interrupts.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod accesses;
mod interrupts;
mod payload;
mod pins;
mod support;
