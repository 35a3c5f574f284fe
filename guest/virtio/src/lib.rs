// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A virtio driver for who has no operating system.
//!
//! ```text
//!    BlockQueue · EntropyQueue      a queue each, on whatever CPU has it
//!        │ SplitQueue + Doorbell
//!    Device::begin ─▶ queue, interrupts ─▶ start
//!        │                │
//!    Transport        Interrupts: VIS │ MSI │ MSI-X │ single
//!    Mmio · Pci           │ mask, unmask, move_to, acknowledge
//!        ▼                ▼
//!    Registers        Shared        implemented by whoever has the machine
//! ```
//!
//! Nothing here allocates, and nothing trusts the device: what it writes is checked
//! before it is used.
#![no_std]
#![deny(missing_docs)]
#![deny(unsafe_code)]

pub mod block;
pub mod entropy;
pub mod interrupts;
pub mod queue;
pub mod shared;
pub mod transport;

mod device;
mod message;
mod registers;

pub use device::{Device, DeviceError};
pub use message::Message;
pub use registers::Registers;
