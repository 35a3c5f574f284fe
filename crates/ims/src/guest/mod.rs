// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Entries that a guest writes at any time, raised by a port: what its MSI-X and
//! its own message store have in common, and that store.
//!
//! ```text
//!    guest          writes of any size, at any time
//!      │ trapped          │
//!      ▼                  ▼
//!    control half   msix::Msix    capability, function mask, pending-bit array; 2048
//!                   guest::Store  slots with a pending bit each; any number
//!                         │ one word an entry decides: mask, frozen, pending
//!    data half      Port: raise(index) ──▶ sink of the guest's own messages
//! ```
//!
//! What is exact, and what is not, is the same for both ([`crate::msix`]): a raise
//! that is held back is kept and delivered once; a message changed under its mask
//! is sent whole; one changed without goes out as far as it has been written.

pub mod access;
pub(crate) mod entries;
mod entry;
pub mod layout;
mod port;
mod state;
mod store;
#[cfg(all(test, not(loom)))]
pub(crate) mod tests;

pub use port::Port;
pub use state::{RestoreError, SlotState, StoreState};
pub use store::{SlotView, Store, StoreError};
