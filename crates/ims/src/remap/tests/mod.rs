// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Tests of the room as a whole.
#![cfg(test)]
#![allow(
    clippy::cast_possible_truncation,
    reason = "test values are small by construction"
)]

mod control;
mod entries;
mod faults;
mod foreign;
mod parts;
mod reasons;
mod specification;
mod tables;
mod unit;
