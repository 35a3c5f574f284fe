// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Numbers of the VFIO user interface (Linux `include/uapi/linux/vfio.h`).

/// Region indexes of a PCI device (`VFIO_PCI_*_REGION_INDEX`).
pub mod region {
    /// BARs are regions 0 to 5.
    pub const BARS: u32 = 6;
    /// The expansion ROM.
    pub const ROM: u32 = 6;
    /// Config space.
    pub const CONFIG: u32 = 7;
    /// Legacy VGA.
    pub const VGA: u32 = 8;
    /// How many there are.
    pub const COUNT: u32 = 9;
}

/// Interrupt indexes of a PCI device (`VFIO_PCI_*_IRQ_INDEX`).
pub mod irq {
    /// The pin.
    pub const INTX: u32 = 0;
    /// MSI.
    pub const MSI: u32 = 1;
    /// MSI-X.
    pub const MSIX: u32 = 2;
    /// Error reporting.
    pub const ERR: u32 = 3;
    /// A request to give the device back.
    pub const REQ: u32 = 4;
    /// How many there are.
    pub const COUNT: u32 = 5;
}

/// Flags of `struct vfio_irq_set`.
pub mod irq_set {
    /// No data.
    pub const DATA_NONE: u32 = 1 << 0;
    /// A byte for each interrupt.
    pub const DATA_BOOL: u32 = 1 << 1;
    /// A descriptor for each interrupt.
    pub const DATA_EVENTFD: u32 = 1 << 2;
    /// Mask.
    pub const ACTION_MASK: u32 = 1 << 3;
    /// Unmask.
    pub const ACTION_UNMASK: u32 = 1 << 4;
    /// Trigger, or set what is triggered.
    pub const ACTION_TRIGGER: u32 = 1 << 5;
    /// All data types.
    pub const DATA_TYPES: u32 = DATA_NONE | DATA_BOOL | DATA_EVENTFD;
    /// All actions.
    pub const ACTIONS: u32 = ACTION_MASK | ACTION_UNMASK | ACTION_TRIGGER;
    /// Bytes of the structure before its data.
    pub const HEADER: u32 = 20;
}

/// Flags of `struct vfio_irq_info`.
pub mod irq_info {
    /// Triggers are eventfds.
    pub const EVENTFD: u32 = 1 << 0;
    /// It can be masked.
    pub const MASKABLE: u32 = 1 << 1;
    /// It is masked by itself when triggered.
    pub const AUTOMASKED: u32 = 1 << 2;
    /// The set of enabled ones grows only by taking all down first.
    pub const NORESIZE: u32 = 1 << 3;
}

/// Flags of `struct vfio_device_info`.
pub mod device_info {
    /// The device can be reset.
    pub const RESET: u32 = 1 << 0;
    /// It is a PCI device.
    pub const PCI: u32 = 1 << 1;
}

/// Flags of `struct vfio_region_info`.
pub mod region_info {
    /// It can be read.
    pub const READ: u32 = 1 << 0;
    /// It can be written.
    pub const WRITE: u32 = 1 << 1;
    /// It, or parts of it, can be mapped.
    pub const MMAP: u32 = 1 << 2;
    /// Capabilities follow.
    pub const CAPS: u32 = 1 << 3;
    /// The capability that lists the parts which can be mapped.
    pub const CAP_SPARSE_MMAP: u16 = 1;
}
