// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Interrupt Message Store for a guest: slots that the guest programs itself, far
//! beyond the 2048 of MSI-X, behind a remap unit whose table it keeps in its memory.
//!
//! ```text
//!   guest        slots, in the device's BAR        table of entries, in its memory
//!                      │ address and data                │ owner, vCPU, vector
//!                      ▼ names an entry                  ▼
//!   GuestIms ── ims::guest::Store ── message ──▶ GuestRemap ── Vcpus ──▶ KVM_SIGNAL_MSI
//!                      ▲                            │ not its owner, not present, …
//!   GuestPort ── raise(slot), any thread            └──▶ fault record, read by the guest
//! ```
//!
//! No route, no GSI and no eventfd is behind a slot, so only memory limits how many
//! there are. A device reaches the vectors that the table grants its requester id,
//! and nothing else: whoever may program its slots, a process say, cannot name
//! another device's entry, nor a vCPU's vector directly.
//!
//! There is one [`GuestRemap`] for a VM, or for a group of its devices, and a
//! [`GuestIms`] for each device. The registers are this crate's own ([`layout`]);
//! entries and faults are those of VT-d.

mod bar;
mod device;
pub mod layout;
mod port;
mod remap;
mod state;
mod table;
#[cfg(all(test, not(loom)))]
mod tests;

pub use device::GuestIms;
pub use port::GuestPort;
pub use remap::{GuestRemap, RemapOptions};
pub use state::{RemapState, RemapStateError};
