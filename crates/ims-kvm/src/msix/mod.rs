// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The MSI-X of a guest's device on KVM.
//!
//! ```text
//!    the guest, in a vCPU's exit          the VMM's own device     vhost, VFIO, a process
//!    config · table · PBA                 Trigger::raise           writes eventfd(vector)
//!        ▼                                      │                        ▼
//!    MsixDevice ── holds the lines ─────────────┼──────────────────▶  Lines
//!        │         that a write touches         │                   │        │ attached:
//!        ▼                                      ▼           watched ▼        │ KVM reads
//!    ims::msix ── mask, message, pending ──▶ MsixPort ◀───── Target::raise   │
//!                                               ▼                            ▼
//!                                        KVM_SIGNAL_MSI                     irqfd
//! ```
//!
//! Control is `&mut`: what the guest writes, reset, restore. It belongs to the
//! device that has it, without a lock of its own. Data is `&`, and cloned into the
//! threads that raise.

mod device;
mod program;
mod source;
mod span;
mod trigger;

#[cfg(all(test, not(loom)))]
mod tests;

pub use device::MsixDevice;
pub use trigger::{NoSuchVector, Trigger};
