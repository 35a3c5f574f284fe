// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The MSI-X that a guest sees: capability, table and pending-bit array of a
//! virtual device, for transports that show them.
//!
//! ```text
//!    guest          config write · table write · table and PBA read
//!      │ trapped              │ by the transport
//!      ▼                      ▼
//!    control half   Msix: enable, function mask, vector mask, messages; save, restore
//!                             │ one word an entry decides: mask, frozen, pending
//!    data half      MsixPort: raise(vector) ──▶ sink of the guest's own messages
//! ```
//!
//! Entries and port are those of [`crate::guest`]; here is what PCI has around them.
//!
//! What a guest writes here is its own: the messages go to the sink it was given
//! (the guest's remap unit, a system call that injects), under the virtual
//! device's requester id, and never to a slot of a host [`crate::store`]. A host
//! interrupt becomes a guest's only because its handler calls [`MsixPort::raise`].
//!
//! # What is exact, and what is not
//! - A raise while the vector is masked, the function masked or MSI-X disabled is
//!   kept in the pending bit and delivered once when the last of these goes, also
//!   if the two meet on two threads. Raises that meet a kept one become one
//!   interrupt with it.
//! - A message that is changed while its vector is masked (by its own mask, the
//!   function's, or because MSI-X is disabled) is sent as it was or as it is, never
//!   half and half.
//! - A message that is changed while its vector is *not* masked goes out with
//!   whatever has been written of it: the specification forbids it, and hardware
//!   does the same. Each aligned dword or qword of it takes effect as a whole, and
//!   the next raise uses it.
//! - A raise that has read its message before a mask was written may still send it
//!   after the write has returned. A transport that must not let this happen keeps
//!   its raisers in flights of a [`crate::grace::Grace`] and waits for that grace
//!   after the write.
//!
//! Source: PCI Local Bus 3.0, 6.8.2; PCI Express Base 6.0, 7.7.2.

mod config;
mod control;
pub mod layout;
mod state;
#[cfg(all(test, not(loom)))]
mod tests;

pub use config::{BarOffset, ConfigError, MsixConfig, Part};
pub use control::{Msix, VectorView};
pub use state::{EntryState, MsixState, RestoreError};

/// Raises the vectors of one virtual device.
pub type MsixPort<K> = crate::guest::Port<K, u16>;
