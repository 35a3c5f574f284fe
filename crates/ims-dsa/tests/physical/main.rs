// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A DSA that a client owns, driven as a transport drives it: config space, BARs,
//! memory and eventfds.
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

mod bus;
mod client;
mod driver;
mod ends;
mod faults;
mod handles;
mod interrupts;
mod memory;
mod portals;
