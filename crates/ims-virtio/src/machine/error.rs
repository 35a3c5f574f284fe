// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Why there is no board.

use ims::msix::ConfigError;
use ims_kvm::machine::MachineError;

/// Why there is no board.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BoardError {
    /// No machine.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// The device does not fit virtio-mmio.
    #[error(transparent)]
    Mmio(#[from] crate::mmio::NewError),
    /// It does not fit virtio-pci.
    #[error(transparent)]
    Pci(#[from] crate::pci::NewError),
    /// It has too many queues for MSI-X.
    #[error(transparent)]
    Msix(#[from] ConfigError),
}
