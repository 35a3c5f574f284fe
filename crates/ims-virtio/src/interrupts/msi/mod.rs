// SPDX-License-Identifier: Apache-2.0 OR MIT
//! MSI for virtio-mmio: vectors whose messages the driver writes by registers.
//!
//! ```text
//!    driver    MsiVecSel, address, data ──▶ MsiCmd
//!                                             │ configure, mask, unmask, map
//!    Control   what the driver said           ▼
//!                                    ims::guest::Store   a slot a vector
//!    MsiPort   event ──▶ map ──▶ vector ──▶ raise ──▶ sink
//! ```
//!
//! Where the proposal leaves open what happens, it is so here:
//! - After a reset no vector is masked and none has a message. One without a message
//!   keeps its interrupt, as a masked one does, until it is given one.
//! - Commands are obeyed once the feature is agreed. Unknown ones, and those about a
//!   vector that is not selected (`NO_VECTOR`), are ignored; so are the mappings of
//!   a device whose vectors are not shared: there vector 0 is the configuration's, and
//!   `n` that of queue `n - 1`.
//! - An event mapped to no vector is not told. With shared vectors none is mapped
//!   after a reset.
//! - A second enabling changes nothing: the published driver writes it also when it
//!   wants to disable.
//! - Disabling leaves messages, masks and map. What masked vectors kept becomes
//!   InterruptStatus.
//!
//! Source: [`crate::layout::msi`].

mod control;
mod port;
mod state;

pub(crate) use control::Control;
pub(crate) use port::MsiPort;
pub use state::{MsiState, RestoreError, VectorState};

use crate::layout::msi::{Layout, Notification};

/// The most vectors there may be: one a queue, one for the configuration.
pub const MAX_VECTORS: u32 = 1 << 16;

/// What a device offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// Where registers and bits are.
    pub layout: Layout,
    /// How many vectors: for shared ones at least 2, else one for each queue and one
    /// for the configuration; [`MAX_VECTORS`] at most.
    pub vectors: u32,
    /// The driver maps events to vectors.
    pub sharing: bool,
    /// Queues are notified at offsets of their own.
    pub notification: Option<Notification>,
}

/// Why it cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OfferError {
    /// Too few vectors, or too many.
    #[error("{vectors} vectors of MSI; offer {least} to {MAX_VECTORS}")]
    Vectors {
        /// How many were offered.
        vectors: u32,
        /// How many this device needs.
        least: u32,
    },
}
