// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The store organisations against one plain model, and each against what it
//! promises by itself.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod bench;
mod contexts;
mod engines;
mod growth;
mod model;
mod random;
mod region;
