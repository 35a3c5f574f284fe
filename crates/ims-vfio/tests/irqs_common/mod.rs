// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the tests of the interrupts share.

pub mod fake;
pub mod model;
pub mod world;
