// SPDX-License-Identifier: Apache-2.0 OR MIT
//! virtio devices whose queues have interrupts of their own, whatever carries them.
//!
//! ```text
//!    Device      names queues and events, knows no transport
//!      │ Notifier: used(queue), config_changed()
//!      ▼
//!    Mmio        one interrupt · MSI · VIS      negotiated, and fallen back from
//!    Pci         MSI-X · one interrupt
//!      │ message                 │ level
//!      ▼                         ▼
//!    a message sink            a line           handed in: KVM, a remap unit, a client
//! ```
//!
//! `layout` alone (no `device` feature, no `std`) is what a driver needs.
#![cfg_attr(not(feature = "device"), no_std)]
#![deny(missing_docs)]
#![forbid(unsafe_code)]

pub mod layout;

#[cfg(feature = "device")]
pub mod block;
#[cfg(feature = "device")]
mod device;
#[cfg(feature = "device")]
pub mod entropy;
#[cfg(feature = "device")]
mod interrupts;
#[cfg(feature = "device")]
mod line;
#[cfg(feature = "machine")]
pub mod machine;
#[cfg(feature = "device")]
mod memory;
#[cfg(feature = "device")]
pub mod mmio;
#[cfg(feature = "device")]
pub mod negotiation;
#[cfg(feature = "device")]
mod notifier;
#[cfg(feature = "device")]
pub mod pci;
#[cfg(feature = "device")]
mod queues;
#[cfg(all(test, feature = "device", not(loom)))]
mod recorder;
#[cfg(feature = "device")]
mod vectors;
#[cfg(feature = "device")]
pub mod vfio;
#[cfg(feature = "device")]
pub mod vis;

#[cfg(feature = "device")]
pub use device::{Device, Setup, StartError};
#[cfg(feature = "device")]
pub use interrupts::{Mode, msi};
#[cfg(feature = "device")]
pub use line::Line;
#[cfg(feature = "device")]
pub use memory::Memory;
#[cfg(feature = "device")]
pub use mmio::{Mmio, MmioOptions};
#[cfg(feature = "device")]
pub use notifier::{Event, Notifier, Notify};
#[cfg(feature = "device")]
pub use queues::BackingInterrupts;
#[cfg(feature = "device")]
pub use vectors::Vectors;
