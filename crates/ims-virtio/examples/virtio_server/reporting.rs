// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Says what became of a function's interrupts when its client has gone.

use ims_vfio::dma::Dma;
use ims_vfio::pci::MsixControl;
use ims_vfio::{AccessError, Function, Hold};
use ims_virtio::Device;
use ims_virtio::vfio::{MmioFunction, PciFunction};

/// What a function has to say.
pub(crate) trait Counts {
    /// One line, of counts since it was made.
    fn counts(&self) -> String;
}

impl<D: Device<Dma>> Counts for PciFunction<D> {
    fn counts(&self) -> String {
        let vectors: Vec<_> = self.vectors().signalled().collect();
        format!("vectors {vectors:?}, pin {}", self.pin_asserted())
    }
}

impl<D: Device<Dma>> Counts for MmioFunction<D> {
    fn counts(&self) -> String {
        let vectors: Vec<_> = self.vectors().signalled().collect();
        let messages = self.messages();
        format!(
            "messages {}, of which failed {}, vectors {vectors:?}, pin {}",
            messages.sent().saturating_add(messages.failed()),
            messages.failed(),
            self.pin_asserted()
        )
    }
}

/// A function, and its counts when a client has gone.
pub(crate) struct Reporting<F> {
    function: F,
}

impl<F> Reporting<F> {
    pub(crate) fn new(function: F) -> Self {
        Self { function }
    }
}

impl<F: ims_vfio::Device + Counts> ims_vfio::Device for Reporting<F> {
    fn function(&self) -> &Function {
        self.function.function()
    }

    fn read(&self, region: u32, offset: u64, data: &mut [u8]) -> Result<(), AccessError> {
        self.function.read(region, offset, data)
    }

    fn write(&self, region: u32, offset: u64, data: &[u8]) -> Result<(), AccessError> {
        self.function.write(region, offset, data)
    }

    fn reset(&self, hold: Hold) {
        self.function.reset(hold);
    }

    fn bus_master(&self, on: bool) {
        self.function.bus_master(on);
    }

    fn msix(&self, control: MsixControl) {
        self.function.msix(control);
    }

    fn client_gone(&self, hold: Hold) {
        println!("interrupts so far: {}", self.function.counts());
        self.function.client_gone(hold);
    }
}
