// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What carries a device.

/// What carries a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// virtio-mmio with its single interrupt.
    Single,
    /// virtio-mmio that offers MSI.
    Msi,
    /// virtio-mmio that offers VIS.
    Vis,
    /// virtio-pci with MSI-X.
    Pci,
}

impl Transport {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Single, Self::Msi, Self::Vis, Self::Pci];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Single => "virtio-mmio, single interrupt",
            Self::Msi => "virtio-mmio, MSI",
            Self::Vis => "virtio-mmio, VIS",
            Self::Pci => "virtio-pci, MSI-X",
        }
    }
}
