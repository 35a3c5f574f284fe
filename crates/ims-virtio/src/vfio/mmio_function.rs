// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A function whose BAR 0 is the register block of virtio-mmio.
//!
//! There is no such thing in virtio: it is for drivers that find their device in
//! another way, and for machines that have no place for it but PCI. The driver's part
//! of the function is to map BAR 0, to turn bus mastering on, and to take the single
//! interrupt: the pin, or vector 0 of MSI-X if it enables that. Messages of MSI and
//! VIS are the function's own writes and have nothing to do with its MSI-X.

use std::fmt;
use std::sync::Arc;

use ims_vfio::dma::Dma;
use ims_vfio::pci::{Bar, Config, MsixControl};
use ims_vfio::{AccessError, Function, Hold};

use super::NewError;
use super::function::{self, read_msix, with_msix, write_msix};
use super::identity;
use super::line::ClientPin;
use super::messages::ClientMessages;
use super::single::Single;
use super::vectors::ClientVectors;
use crate::device::Device;
use crate::interrupts::Mode;
use crate::layout::mmio::INTERRUPT_ACK;
use crate::mmio::{Mmio, MmioOptions, PAGE};

/// The BAR with the registers.
const REGISTERS_BAR: u8 = 0;
/// The single interrupt's.
const VECTORS: u16 = 1;

/// What a virtio-mmio function has that the device does not say.
#[derive(Debug, Clone, Copy)]
pub struct MmioFunctionOptions {
    /// What the transport offers.
    pub mmio: MmioOptions,
    /// The most maps that the client may make.
    pub maps: usize,
}

impl Default for MmioFunctionOptions {
    fn default() -> Self {
        Self {
            mmio: MmioOptions::default(),
            maps: ims_vfio::dma::MAPS,
        }
    }
}

/// A device behind virtio-mmio, in a function of a client.
///
/// Give it to an [`Endpoint`](ims_vfio::Endpoint).
pub struct MmioFunction<D> {
    function: Arc<Function>,
    vectors: Arc<ClientVectors>,
    pin: Arc<ClientPin>,
    single: Arc<Single>,
    messages: Arc<ClientMessages>,
    mmio: Mmio<Dma, D, Arc<ClientMessages>, Arc<Single>>,
}

impl<D> fmt::Debug for MmioFunction<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MmioFunction")
            .field("function", &self.function)
            .finish_non_exhaustive()
    }
}

/// Bytes of a BAR for registers, configuration and notifications.
fn bar_bytes(options: &MmioOptions, queues: usize) -> u64 {
    let last = u16::try_from(queues.saturating_sub(1)).unwrap_or(u16::MAX);
    let notifications = options
        .msi
        .and_then(|offer| offer.notification)
        .map_or(0, |offsets| offsets.offset(last).saturating_add(4));
    notifications.max(PAGE).next_power_of_two()
}

impl<D: Device<Dma>> MmioFunction<D> {
    /// A function in the state after power-on.
    ///
    /// # Errors
    /// [`NewError`].
    pub fn new(device: Arc<D>, options: MmioFunctionOptions) -> Result<Self, NewError> {
        let bytes = bar_bytes(&options.mmio, device.queues().len());
        let builder = Config::builder(identity::mmio())
            .pin(1)
            .bar(REGISTERS_BAR, Bar::memory32(bytes))
            .pcie();
        let builder = with_msix(builder, VECTORS);
        let function = Arc::new(function::build(builder, VECTORS, options.maps)?);
        let vectors = Arc::new(ClientVectors::new(VECTORS, Arc::clone(&function)));
        let pin = Arc::new(ClientPin::new(Arc::clone(&function)));
        let single = Arc::new(Single::new(Arc::clone(&pin), Arc::clone(&vectors)));
        let messages = Arc::new(ClientMessages::new(function.dma.clone()));
        let mmio = Mmio::new(
            device,
            function.dma.clone(),
            Arc::clone(&messages),
            Arc::clone(&single),
            // A bus may post what is written to a BAR.
            MmioOptions {
                posted: true,
                ..options.mmio
            },
        )?;
        Ok(Self {
            function,
            vectors,
            pin,
            single,
            messages,
            mmio,
        })
    }

    /// How interrupts go now.
    pub fn mode(&self) -> Mode {
        self.mmio.mode()
    }

    /// The messages of MSI and VIS.
    pub fn messages(&self) -> &ClientMessages {
        &self.messages
    }

    /// The function's MSI-X: the single interrupt's vector.
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
        self.mmio.reset(hold);
        self.single.set_msix(false);
        self.vectors.reset();
    }
}

impl<D: Device<Dma>> ims_vfio::Device for MmioFunction<D> {
    fn function(&self) -> &Function {
        &self.function
    }

    fn read(&self, region: u32, offset: u64, data: &mut [u8]) -> Result<(), AccessError> {
        if region == u32::from(REGISTERS_BAR) {
            self.mmio.read(offset, data);
        } else {
            read_msix(&self.vectors, offset, data);
        }
        Ok(())
    }

    fn write(&self, region: u32, offset: u64, data: &[u8]) -> Result<(), AccessError> {
        if region != u32::from(REGISTERS_BAR) {
            write_msix(&self.vectors, offset, data);
            return Ok(());
        }
        self.mmio.write(offset, data);
        if offset == INTERRUPT_ACK && self.mmio.is_asserted() {
            self.single.is_left();
        }
        Ok(())
    }

    fn reset(&self, hold: Hold) {
        self.reset_all(hold);
    }

    fn bus_master(&self, on: bool) {
        if on {
            self.vectors.settle_all();
            self.mmio.retry();
        }
    }

    fn msix(&self, control: MsixControl) {
        self.vectors.control(control);
        self.single.set_msix(control.enabled);
    }

    /// The next client may be another guest: it finds the function as after power-on.
    fn client_gone(&self, hold: Hold) {
        function::close(&self.function, &hold);
        self.reset_all(hold);
    }
}
