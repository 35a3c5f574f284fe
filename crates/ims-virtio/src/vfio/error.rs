// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Why there is no such function.

use ims_vfio::irqs::LinesError;
use ims_vfio::pci::ConfigError;

/// Why there is no such function.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NewError {
    /// virtio-pci has no id for this kind of device.
    #[error("a device of kind {id} has no PCI id; use a kind of 1 to 63")]
    Kind {
        /// Which kind.
        id: u32,
    },
    /// Config space cannot be so.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// It cannot have so many interrupts.
    #[error(transparent)]
    Lines(#[from] LinesError),
    /// virtio-pci does not show such a device.
    #[error(transparent)]
    Pci(#[from] crate::pci::NewError),
    /// virtio-mmio does not.
    #[error(transparent)]
    Mmio(#[from] crate::mmio::NewError),
}
