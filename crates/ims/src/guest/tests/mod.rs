// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The store a guest programs: by hand, and against a plain model.

#![allow(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::unwrap_used
)]

mod bench;
mod delivery;
pub(crate) mod model;
mod random;
pub(crate) mod recorder;
mod state;
