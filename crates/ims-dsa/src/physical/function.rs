// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A DSA as a PCI function that a client owns.

use std::fmt;
use std::sync::Arc;

use ims_vfio::dma::Dma;
use ims_vfio::irqs::{Irqs, Lines};
use ims_vfio::pci::MsixControl;
use ims_vfio::{AccessError, Device, Function, Hold};

use super::config::{PhysicalConfig, PhysicalError};
use super::identity::{PORTALS_BAR, REGISTERS_BAR, config_space};
use super::interrupts::Tables;
use super::machine::PhysicalMachine;
use super::report::PhysicalReport;
use crate::front::{Front, Machine, map};

/// A DSA as a PCI function that a client owns: registers and portals, engines made
/// as it is enabled, MSI-X, and an Interrupt Message Store that the client programs.
///
/// Give it to an [`Endpoint`](ims_vfio::Endpoint).
pub struct PhysicalFunction {
    function: Arc<Function>,
    machine: Arc<PhysicalMachine>,
    front: Arc<Front>,
}

impl fmt::Debug for PhysicalFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PhysicalFunction")
            .field("parameters", self.front.parameters())
            .finish_non_exhaustive()
    }
}

impl PhysicalFunction {
    /// A function in the state after power-on.
    ///
    /// # Errors
    /// [`PhysicalError`] if there can be none like this.
    pub fn new(config: PhysicalConfig) -> Result<Arc<Self>, PhysicalError> {
        config.parameters.check()?;
        let function = Arc::new(Function {
            config: config_space(&config)?,
            irqs: Irqs::new(Lines::msix(config.parameters.vectors), None)?,
            dma: Dma::with_limit(config.maps),
        });
        let tables = Arc::new(Tables::new(&config.parameters, Arc::clone(&function)));
        let machine = Arc::new(PhysicalMachine::new(Arc::clone(&function), tables));
        let governed: Arc<dyn Machine> = machine.clone();
        let front = Front::new(config.parameters, governed, None)?;
        Ok(Arc::new(Self {
            function,
            machine,
            front,
        }))
    }

    /// Waits for all descriptors taken so far: `hold` is dropped when they have ended,
    /// interrupts included.
    pub fn drain(&self, hold: Hold) {
        self.front.drain(hold);
    }

    /// Takes back all interrupt handles, of MSI-X and of the Interrupt Message
    /// Store, and tells the driver, which asks for new ones (INTCAUSE bit 31).
    /// Descriptors with an old one end with status 0x19. Says how many there were;
    /// without the commands for handles there are none.
    ///
    /// Any thread may call it.
    pub fn revoke_handles(&self) -> u32 {
        let revoked = self.machine.tables.revoke_all();
        if revoked > 0 {
            self.front.handles_revoked();
        }
        revoked
    }

    /// Its state, its queues, and what became of its interrupts.
    pub fn report(&self) -> PhysicalReport {
        PhysicalReport {
            front: self.front.status(),
            engines: self.machine.statistics(),
            vectors: self.machine.tables.report(),
        }
    }
}

impl Device for PhysicalFunction {
    fn function(&self) -> &Function {
        &self.function
    }

    fn read(&self, region: u32, offset: u64, data: &mut [u8]) -> Result<(), AccessError> {
        match region {
            REGISTERS_BAR => match offset.checked_sub(map::IMS) {
                Some(offset) => self.machine.tables.ims.read(offset, data),
                None => self.front.read(offset, data),
            },
            // Portals are only written.
            _ => data.fill(0xff),
        }
        Ok(())
    }

    fn write(&self, region: u32, offset: u64, data: &[u8]) -> Result<(), AccessError> {
        match region {
            // Here, and not word by word: an access to an entry is one change.
            REGISTERS_BAR => match offset.checked_sub(map::IMS) {
                Some(offset) => self.machine.tables.ims.write(offset, data),
                None => self.front.write(offset, data),
            },
            PORTALS_BAR => self.front.store(offset, data),
            _ => {}
        }
        Ok(())
    }

    fn reset(&self, hold: Hold) {
        self.front.reset(hold);
    }

    fn bus_master(&self, on: bool) {
        if !on {
            self.front.bus_master_off();
        }
    }

    fn msix(&self, _: MsixControl) {
        self.machine.tables.vectors.settle_all();
    }

    /// The next client may be another guest: it finds the function as after power-on,
    /// with nothing of this one in registers, store or portals.
    fn client_gone(&self, hold: Hold) {
        let Function { config, dma, .. } = self.function();
        config.reset();
        dma.block(hold.clone());
        self.front.reset(hold);
    }
}

impl Drop for PhysicalFunction {
    fn drop(&mut self) {
        // A device that is just dropped waits for its engines.
        self.machine.stop(Hold::nobody());
    }
}
