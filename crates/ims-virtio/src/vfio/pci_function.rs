// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A virtio-pci function.

use std::fmt;
use std::sync::Arc;

use ims_vfio::dma::Dma;
use ims_vfio::pci::{Bar, Config, MsixControl};
use ims_vfio::{AccessError, Function, Hold};

use super::NewError;
use super::function::{self, read_msix, with_msix, write_msix};
use super::identity;
use super::line::ClientPin;
use super::vectors::ClientVectors;
use crate::device::Device;
use crate::layout::pci::bar;
use crate::pci::{Pci, capabilities};

/// What a virtio-pci function has that the device does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PciOptions {
    /// MSI-X vectors: 0 (the pin alone) to 2048. `None`: one for each queue and one
    /// for the configuration.
    pub vectors: Option<u16>,
    /// The most maps that the client may make.
    pub maps: usize,
}

impl Default for PciOptions {
    fn default() -> Self {
        Self {
            vectors: None,
            maps: ims_vfio::dma::MAPS,
        }
    }
}

/// A device as a virtio-pci function of a client.
///
/// Give it to an [`Endpoint`](ims_vfio::Endpoint).
pub struct PciFunction<D> {
    function: Arc<Function>,
    vectors: Arc<ClientVectors>,
    pin: Arc<ClientPin>,
    pci: Pci<Dma, D, Arc<ClientVectors>, Arc<ClientPin>>,
}

impl<D> fmt::Debug for PciFunction<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PciFunction")
            .field("function", &self.function)
            .finish_non_exhaustive()
    }
}

impl<D: Device<Dma>> PciFunction<D> {
    /// A function in the state after power-on.
    ///
    /// # Errors
    /// [`NewError`].
    pub fn new(device: Arc<D>, options: PciOptions) -> Result<Self, NewError> {
        let id = device.id();
        let identity = identity::virtio(id).ok_or(NewError::Kind { id })?;
        let queues = device.queues().len();
        let most = ims_vfio::pci::layout::msix::MAX;
        let needed = u16::try_from(queues.saturating_add(1)).unwrap_or(most);
        let vectors = options.vectors.unwrap_or(needed.min(most));
        let builder = Config::builder(identity)
            .pin(1)
            .bar(bar::NUMBER, Bar::memory32(bar::BYTES))
            .pcie();
        let builder = with_msix(builder, vectors);
        let [places @ .., window] = capabilities();
        let builder = places.iter().fold(builder, |builder, place| {
            builder.vendor(&place.bytes, &place.mask)
        });
        let builder = builder.window(&window.bytes, &window.mask);
        let function = Arc::new(function::build(builder, vectors, options.maps)?);
        let vectors = Arc::new(ClientVectors::new(vectors, Arc::clone(&function)));
        let pin = Arc::new(ClientPin::new(Arc::clone(&function)));
        let pci = Pci::new(
            device,
            function.dma.clone(),
            Arc::clone(&vectors),
            Arc::clone(&pin),
        )?;
        Ok(Self {
            function,
            vectors,
            pin,
            pci,
        })
    }

    /// Its MSI-X.
    pub fn vectors(&self) -> &ClientVectors {
        &self.vectors
    }

    /// How many times the pin was asserted.
    pub fn pin_asserted(&self) -> u64 {
        self.pin.asserted()
    }

    /// Registers and vectors as after power-on, with MSI-X disabled.
    fn reset_all(&self, hold: Hold) {
        // First, so that nothing is left to assert the pin.
        self.pci.reset(hold);
        self.pci.set_msix_enabled(false);
        self.vectors.reset();
    }
}

impl<D: Device<Dma>> ims_vfio::Device for PciFunction<D> {
    fn function(&self) -> &Function {
        &self.function
    }

    fn read(&self, region: u32, offset: u64, data: &mut [u8]) -> Result<(), AccessError> {
        if region == u32::from(bar::NUMBER) {
            self.pci.read(offset, data);
        } else {
            read_msix(&self.vectors, offset, data);
        }
        Ok(())
    }

    fn write(&self, region: u32, offset: u64, data: &[u8]) -> Result<(), AccessError> {
        if region == u32::from(bar::NUMBER) {
            self.pci.write(offset, data);
        } else {
            write_msix(&self.vectors, offset, data);
        }
        Ok(())
    }

    fn reset(&self, hold: Hold) {
        self.reset_all(hold);
    }

    fn bus_master(&self, on: bool) {
        if on {
            self.vectors.settle_all();
        }
    }

    fn msix(&self, control: MsixControl) {
        self.pci.set_msix_enabled(control.enabled);
        self.vectors.control(control);
    }

    /// The next client may be another guest: it finds the function as after power-on.
    fn client_gone(&self, hold: Hold) {
        function::close(&self.function, &hold);
        self.reset_all(hold);
    }
}
