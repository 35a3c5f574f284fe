// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A device's interrupts.

mod index;
mod port;
mod record;

pub use index::IndexPool;
pub use port::{Port, Raised};
pub use record::Counts;
