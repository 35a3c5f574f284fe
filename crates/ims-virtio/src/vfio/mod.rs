// SPDX-License-Identifier: Apache-2.0 OR MIT
//! virtio devices as functions of PCI, for whatever carries [`ims_vfio::Device`].
//!
//! ```text
//!    PciFunction    BAR 0 = Pci     MSI-X, or the pin ──▶ the client's eventfds
//!    MmioFunction   BAR 0 = Mmio    single interrupt  ──▶ the pin, or one vector
//!                                   MSI, VIS          ──▶ writes to the client
//! ```
//! The driver's memory is the client's, for as long as bus mastering is on.

mod error;
mod function;
mod identity;
mod line;
mod memory;
mod messages;
mod mmio_function;
mod pci_function;
mod single;
#[cfg(all(test, not(loom)))]
mod tests;
mod vectors;
mod words;

pub use error::NewError;
pub use identity::{MMIO_DEVICE, MMIO_VENDOR};
pub use messages::ClientMessages;
pub use mmio_function::{MmioFunction, MmioFunctionOptions};
pub use pci_function::{PciFunction, PciOptions};
pub use vectors::ClientVectors;
