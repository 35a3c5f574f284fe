// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Who the functions say they are.

use ims_vfio::pci::Identity;

use crate::layout::pci::{DEVICE_BASE, VENDOR};

/// Vendor and device of the function whose BAR 0 is virtio-mmio: no id of virtio's,
/// so that no driver for virtio-pci takes it.
pub const MMIO_VENDOR: u16 = 0x4d49;
/// Its device id.
pub const MMIO_DEVICE: u16 = 0x0002;

/// Subsystem of a function that is no transitional one: 0x40 or above (4.1.2.1).
const SUBSYSTEM: u16 = 0x0040;

/// Class codes. Source: PCI Code and ID Assignment Specification, 1.
mod class {
    /// Mass storage, other.
    pub(super) const STORAGE: u32 = 0x01_80_00;
    /// Network, Ethernet.
    pub(super) const NETWORK: u32 = 0x02_00_00;
    /// Simple communication, other.
    pub(super) const COMMUNICATION: u32 = 0x07_80_00;
    /// None of the others.
    pub(super) const OTHER: u32 = 0xff_00_00;
}

/// The class of a kind of device. Source of kinds: virtio 1.3, 5.
fn class_of(kind: u32) -> u32 {
    match kind {
        1 => class::NETWORK,
        2 | 8 => class::STORAGE,
        3 => class::COMMUNICATION,
        _ => class::OTHER,
    }
}

/// A virtio-pci function with a device of this kind; `None` if there is no id for it.
pub(super) fn virtio(kind: u32) -> Option<Identity> {
    let device = u16::try_from(kind).ok()?;
    // 0x1040 to 0x107f are virtio's (4.1.2.1).
    if !(1..0x40).contains(&device) {
        return None;
    }
    Some(Identity {
        vendor: VENDOR,
        device: DEVICE_BASE | device,
        class: class_of(kind),
        revision: 1,
        subsystem_vendor: VENDOR,
        subsystem: SUBSYSTEM,
    })
}

/// The function whose BAR 0 is virtio-mmio.
pub(super) fn mmio() -> Identity {
    Identity {
        vendor: MMIO_VENDOR,
        device: MMIO_DEVICE,
        class: class::OTHER,
        revision: 1,
        subsystem_vendor: MMIO_VENDOR,
        subsystem: MMIO_DEVICE,
    }
}
