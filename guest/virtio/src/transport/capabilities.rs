// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where a function says its structures are. Source: PCI Local Bus 3.0, 6.7; virtio
//! 1.3, 4.1.4; for MSI-X, PCI Express 6.0, 7.7.2.

use ims_virtio::layout::pci;

use crate::registers::Registers;

/// Offset of vendor and device id.
pub(super) const ID: u16 = 0x00;
/// Offset of command (low half) and status.
pub(super) const COMMAND: u16 = 0x04;
/// Command: memory is decoded, and the function may reach it.
pub(super) const MEMORY_AND_MASTER: u32 = 0b110;
/// Status: there is a list of capabilities.
const STATUS_LIST: u32 = 1 << 20;
/// Offset of the list's first.
const FIRST: u16 = 0x34;
/// Id of MSI-X.
const MSIX: u8 = 0x11;
/// More than 256 bytes of configuration space can have.
const MOST: usize = 48;

/// A structure in a BAR.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) bar: u8,
    pub(super) offset: u64,
    pub(super) length: u64,
}

/// MSI-X of the function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MsixPlace {
    /// Where the capability is in configuration space.
    pub(crate) capability: u16,
    /// Its first 32 bits; message control in the high half.
    pub(crate) control: u32,
    /// The table's BAR.
    pub(crate) bar: u8,
    /// Where it is there.
    pub(crate) offset: u64,
}

/// What was found.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Found {
    pub(super) common: Option<Place>,
    pub(super) notify: Option<(Place, u32)>,
    pub(super) isr: Option<Place>,
    pub(super) device: Option<Place>,
    pub(super) msix: Option<MsixPlace>,
}

/// Goes through the list. Of each kind the first is taken, as the specification has
/// it; a list that does not end is left.
pub(super) fn walk(registers: &impl Registers) -> Found {
    let mut found = Found::default();
    if registers.read_config(COMMAND) & STATUS_LIST == 0 {
        return found;
    }
    let [first, ..] = registers.read_config(FIRST).to_le_bytes();
    let mut at = u16::from(first & !3);
    for _ in 0..MOST {
        if at < 0x40 {
            break;
        }
        let head = registers.read_config(at);
        let [id, next, _, kind] = head.to_le_bytes();
        match id {
            MSIX if found.msix.is_none() => found.msix = Some(msix(registers, at, head)),
            pci::CAPABILITY_ID => structure(registers, at, kind, &mut found),
            _ => {}
        }
        at = u16::from(next & !3);
    }
    found
}

fn msix(registers: &impl Registers, at: u16, control: u32) -> MsixPlace {
    let table = registers.read_config(at + 4);
    let [bir, ..] = (table & 7).to_le_bytes();
    MsixPlace {
        capability: at,
        control,
        bar: bir,
        offset: u64::from(table & !7),
    }
}

fn structure(registers: &impl Registers, at: u16, kind: u8, found: &mut Found) {
    let place = || {
        let [bar, ..] = registers.read_config(at + 4).to_le_bytes();
        Place {
            bar,
            offset: u64::from(registers.read_config(at + 8)),
            length: u64::from(registers.read_config(at + 12)),
        }
    };
    match kind {
        pci::CAP_COMMON if found.common.is_none() => found.common = Some(place()),
        pci::CAP_ISR if found.isr.is_none() => found.isr = Some(place()),
        pci::CAP_DEVICE if found.device.is_none() => found.device = Some(place()),
        pci::CAP_NOTIFY if found.notify.is_none() => {
            found.notify = Some((place(), registers.read_config(at + 16)));
        }
        _ => {}
    }
}
