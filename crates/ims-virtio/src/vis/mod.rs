// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Virtio Interrupt Storage: messages, map and masks in memory that the driver shares
//! with the device. Source: `docs/vis.md`.
//!
//! ```text
//!    driver     registers          area: messages, map          gates
//!                  │ commands          │ latched by commands      │ mask, unmask: no exit
//!                  ▼                   ▼                          ▼
//!    Vis        control half ──▶ Sender: slots, map ◀── VisPort: raise ──▶ sink
//! ```

mod area;
mod control;
mod gate;
mod gates;
mod latch;
#[cfg(all(test, loom))]
mod loom_tests;
mod port;
mod sender;
mod state;
mod table;
#[cfg(all(test, not(loom)))]
mod tests;

pub use area::Header;
pub use control::Vis;
pub use port::{Losses, VisPort};
pub use state::{AreaState, RestoreError, VisState};

use crate::layout::vis::MAX_VECTORS;

/// What a device offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// The most vectors an area may have, 1 to [`MAX_VECTORS`]. Enough is one for each
    /// queue, and one for changes of configuration.
    pub vectors: u32,
}

/// Why it cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OfferError {
    /// Too many vectors, or none.
    #[error("interrupt storage with {vectors} vectors; offer 1 to {MAX_VECTORS}")]
    Vectors {
        /// How many were offered.
        vectors: u32,
    },
}
