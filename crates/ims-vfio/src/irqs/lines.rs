// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which interrupts a device has, and what a client is told of them.

use serde::{Deserialize, Serialize};

use super::error::LinesError;
use crate::layout::{irq, irq_info};

/// MSI vectors the capability can name (PCI 7.7.1.2, Multiple Message Capable).
pub const MSI_LIMIT: u32 = 32;
/// MSI-X vectors the capability can name (PCI 7.7.2.2, Table Size, 11 bits).
pub const MSIX_LIMIT: u32 = 2048;

/// How many interrupts of each index a device has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Lines {
    /// The pin.
    pub intx: bool,
    /// MSI vectors, 0 to 32.
    pub msi: u32,
    /// MSI-X vectors, 0 to 2048.
    pub msix: u32,
    /// Error reporting.
    pub err: bool,
    /// Requests to give the device back.
    pub req: bool,
}

/// What a client is told of an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IrqInfo {
    /// Of [`layout::irq_info`](crate::layout::irq_info).
    pub flags: u32,
    /// How many there are.
    pub count: u32,
}

impl Lines {
    /// MSI-X vectors and nothing else, which is what most devices have.
    pub fn msix(vectors: u16) -> Self {
        Self {
            msix: vectors.into(),
            ..Self::default()
        }
    }

    /// Refuses what no capability can name.
    pub(super) fn check(&self) -> Result<(), LinesError> {
        if self.msi > MSI_LIMIT {
            return Err(LinesError::Msi {
                asked: self.msi,
                limit: MSI_LIMIT,
            });
        }
        if self.msix > MSIX_LIMIT {
            return Err(LinesError::Msix {
                asked: self.msix,
                limit: MSIX_LIMIT,
            });
        }
        Ok(())
    }

    /// How many interrupts index `index` has.
    pub(super) fn count(&self, index: u32) -> u32 {
        match index {
            irq::INTX => u32::from(self.intx),
            irq::MSI => self.msi,
            irq::MSIX => self.msix,
            irq::ERR => u32::from(self.err),
            irq::REQ => u32::from(self.req),
            _ => 0,
        }
    }

    /// What a client is told (`VFIO_DEVICE_GET_IRQ_INFO`). MSI-X grows at any
    /// time; MSI only by taking all down first. Like a conventional PCI device,
    /// one that does not report errors has no ERR at all.
    pub(super) fn info(&self, index: u32) -> Option<IrqInfo> {
        let own = match index {
            irq::INTX => irq_info::MASKABLE | irq_info::AUTOMASKED,
            irq::MSIX => 0,
            irq::ERR if !self.err => return None,
            irq::MSI | irq::ERR | irq::REQ => irq_info::NORESIZE,
            _ => return None,
        };
        Some(IrqInfo {
            flags: irq_info::EVENTFD | own,
            count: self.count(index),
        })
    }
}
