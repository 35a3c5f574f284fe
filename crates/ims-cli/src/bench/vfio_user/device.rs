// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A device with one register, and all the MSI-X vectors there can be.

use super::super::Outcome;
use ims_vfio::dma::Dma;
use ims_vfio::irqs::{Irqs, Lines};
use ims_vfio::pci::{Bar, Config, Identity, MsixPlace};
use ims_vfio::{AccessError, Device, Function};
use std::sync::atomic::{AtomicU32, Ordering};

/// As many as MSI-X has (PCI Express 7.7.2.2).
pub(super) const VECTORS: u16 = 2048;

/// Bytes of its registers' BAR.
pub(super) const BAR: u64 = 0x1000;

/// Where table and pending bits are: 16 bytes a vector, then a bit.
const TABLE: u64 = 0x10000;
const PBA: u32 = 0x8000;

/// The device.
#[derive(Debug)]
pub(super) struct Register {
    function: Function,
    register: AtomicU32,
}

impl Register {
    /// # Errors
    /// If its parts do not fit together.
    pub(super) fn new() -> Outcome<Self> {
        let identity = Identity {
            vendor: 0x4d49,
            device: 0x0b00,
            class: 0xff_00_00,
            ..Identity::default()
        };
        let place = MsixPlace {
            table: (4, 0),
            pba: (4, PBA),
        };
        let config = Config::builder(identity)
            .bar(0, Bar::memory32(BAR))
            .bar(4, Bar::memory32(TABLE))
            .msix(VECTORS, place)
            .pcie()
            .build()?;
        let lines = Lines {
            msix: VECTORS.into(),
            ..Lines::default()
        };
        Ok(Self {
            function: Function {
                config,
                irqs: Irqs::new(lines, None)?,
                dma: Dma::default(),
            },
            register: AtomicU32::new(0),
        })
    }
}

impl Device for Register {
    fn function(&self) -> &Function {
        &self.function
    }

    fn read(&self, _: u32, _: u64, data: &mut [u8]) -> Result<(), AccessError> {
        let register = self.register.load(Ordering::Relaxed).to_le_bytes();
        for (to, from) in data.iter_mut().zip(register) {
            *to = from;
        }
        Ok(())
    }

    fn write(&self, _: u32, _: u64, data: &[u8]) -> Result<(), AccessError> {
        let register = data.try_into().map_err(|_| AccessError::Size)?;
        self.register
            .store(u32::from_le_bytes(register), Ordering::Relaxed);
        Ok(())
    }
}
