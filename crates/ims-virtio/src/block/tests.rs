// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A plain driver on the device, with real files.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test"
)]

mod away;
mod file;
mod framing;
mod hostile;
mod interrupts;
mod machine;
mod many;
mod plain;
mod rings;
mod stops;
