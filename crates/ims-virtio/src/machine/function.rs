// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A PCI function that a virtio-pci device is in: configuration space, MSI-X, BARs at
//! fixed addresses. Source: PCI Local Bus 3.0, 6.1 and 6.7.
//!
//! It has no window to its BARs in configuration space: this guest reaches them all.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ims::message::RequesterId;
use ims::msix::layout::CAPABILITY_BYTES as MSIX_BYTES;
use ims::msix::{BarOffset, Msix, MsixConfig, MsixPort};
use ims_kvm::Signal;
use ims_kvm::machine::{MMIO, Pin};

use super::wires::{CONFIGURATION, Registers, TABLE};
use super::{BoardError, BoardMemory, Posting};
use crate::device::Device;
use crate::layout::pci::{CAP_PCI, CAPABILITY_ID, DEVICE_BASE, VENDOR, bar};
use crate::pci::{Pci, capabilities};

/// Bytes of configuration space.
const BYTES: usize = 256;
/// Offset of command, two bytes that the guest may write.
const COMMAND: usize = 4;
/// Offset of the status: bit 4 says that there are capabilities.
const STATUS: usize = 6;
/// Offset of the first BAR.
const BAR: usize = 0x10;
/// Offset of the first capability's offset.
const FIRST: usize = 0x34;
/// Where MSI-X is.
const MSIX: u16 = 0x40;
/// Where virtio's capabilities begin.
const OTHERS: usize = 0x50;
/// Where the pending bits are in BAR 1: behind 2048 vectors.
const PBA: u32 = 0x8000;
/// Bytes of BAR 1.
const TABLE_BYTES: u64 = 0x1_0000;

/// The function.
pub(super) struct Function<D> {
    pci: Pci<BoardMemory, Posting<D>, MsixPort<Signal>, Pin>,
    msix: Mutex<Msix<Signal>>,
    space: Mutex<Vec<u8>>,
}

impl<D: Device<BoardMemory>> Function<D> {
    /// Of `device`, with so many vectors.
    pub(super) fn new(
        device: Arc<Posting<D>>,
        memory: BoardMemory,
        signal: Signal,
        pin: Pin,
        vectors: u16,
    ) -> Result<Self, BoardError> {
        let place = |offset| BarOffset { bir: 1, offset };
        let config = MsixConfig {
            vectors,
            table: place(0),
            pba: place(PBA),
        };
        let msix = Msix::new(config, RequesterId(0), signal)?;
        let space = space(device.id());
        Ok(Self {
            pci: Pci::new(device, memory, msix.port(), pin)?,
            msix: Mutex::new(msix),
            space: Mutex::new(space),
        })
    }

    fn msix(&self) -> MutexGuard<'_, Msix<Signal>> {
        self.msix.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn space(&self) -> MutexGuard<'_, Vec<u8>> {
        self.space.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_space(&self, offset: usize, into: &mut [u8]) {
        match of_msix(offset) {
            Some(inner) => {
                self.msix().read_config(inner, into);
                // Its link is the list's.
                if let (0, Some(next)) = (inner, into.get_mut(1)) {
                    *next = link(OTHERS);
                }
            }
            None => {
                let space = self.space();
                let from = space.get(offset..).unwrap_or_default();
                for (byte, from) in into.iter_mut().zip(from) {
                    *byte = *from;
                }
            }
        }
    }

    fn write_space(&self, offset: usize, from: &[u8]) {
        if let Some(inner) = of_msix(offset) {
            let mut msix = self.msix();
            msix.write_config(inner, from);
            self.pci.set_msix_enabled(msix.enabled());
        } else {
            let mut space = self.space();
            for (at, byte) in (offset..).zip(from) {
                // All else is read-only.
                if let (COMMAND..STATUS, Some(to)) = (at, space.get_mut(at)) {
                    *to = *byte;
                }
            }
        }
    }
}

impl<D: Device<BoardMemory>> Registers for Function<D> {
    fn read(&self, offset: u64, into: &mut [u8]) -> bool {
        match offset {
            ..bar::BYTES => self.pci.read(offset, into),
            TABLE.. if offset - TABLE < u64::from(PBA) => {
                self.msix().read_table(offset - TABLE, into);
            }
            TABLE.. if offset - TABLE < TABLE_BYTES => {
                let offset = offset - TABLE - u64::from(PBA);
                self.msix().read_pba(offset, into);
            }
            CONFIGURATION.. => match usize::try_from(offset - CONFIGURATION) {
                Ok(offset) if offset < BYTES => self.read_space(offset, into),
                _ => return false,
            },
            _ => return false,
        }
        true
    }

    fn write(&self, offset: u64, from: &[u8]) {
        match offset {
            ..bar::BYTES => self.pci.write(offset, from),
            TABLE.. if offset - TABLE < u64::from(PBA) => {
                self.msix().write_table(offset - TABLE, from);
            }
            CONFIGURATION.. => {
                if let Ok(offset) = usize::try_from(offset - CONFIGURATION) {
                    self.write_space(offset, from);
                }
            }
            _ => {}
        }
    }

    fn is_status(&self, offset: u64) -> bool {
        offset == bar::ISR
    }
}

/// Configuration space, but for MSI-X.
fn space(kind: u32) -> Vec<u8> {
    let mut space = vec![0; BYTES];
    let mut put = |at: usize, bytes: &[u8]| {
        for (to, byte) in space.iter_mut().skip(at).zip(bytes) {
            *to = *byte;
        }
    };
    let device = DEVICE_BASE.wrapping_add(u16::try_from(kind).unwrap_or(0));
    put(0, &VENDOR.to_le_bytes());
    put(2, &device.to_le_bytes());
    put(STATUS, &[1 << 4]);
    for (number, address) in [MMIO.start, MMIO.start + TABLE].into_iter().enumerate() {
        let [a, b, c, d, ..] = address.to_le_bytes();
        put(BAR + number * 4, &[a, b, c, d]);
    }
    put(FIRST, &MSIX.to_le_bytes());
    let all = capabilities();
    let mut all = all
        .iter()
        .filter(|capability| capability.bytes.first() != Some(&CAP_PCI))
        .peekable();
    let mut at = OTHERS;
    while let Some(capability) = all.next() {
        let length = capability.bytes.len() + 3;
        let next = at + length.next_multiple_of(4);
        let linked = if all.peek().is_some() { link(next) } else { 0 };
        put(at, &[CAPABILITY_ID, linked, link(length)]);
        put(at + 3, &capability.bytes);
        at = next;
    }
    space
}

/// A number of configuration space that has a byte.
fn link(at: usize) -> u8 {
    u8::try_from(at).unwrap_or(0)
}

/// The offset in the capability of MSI-X.
fn of_msix(offset: usize) -> Option<u16> {
    let inner = u16::try_from(offset).ok()?.checked_sub(MSIX)?;
    (usize::from(inner) < MSIX_BYTES).then_some(inner)
}
