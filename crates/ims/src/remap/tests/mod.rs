// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Tests of the room as a whole.

mod control;
mod entries;
mod faults;
mod parts;
mod reasons;
mod specification;
mod tables;
mod unit;
