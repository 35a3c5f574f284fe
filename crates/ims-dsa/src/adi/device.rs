// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One assignable device interface, as its client sees it.

use std::fmt;
use std::sync::Arc;

use ims::store::Pasid;
use ims_vfio::pci::{Config, MsixControl};
use ims_vfio::{AccessError, Function, Hold};

use super::config::AdiConfig;
use super::error::ComposeError;
use super::machine::AdiMachine;
use super::parent::Inner;
use super::{function, function::BAR_PORTALS, function::BAR_REGISTERS};
use crate::front::{Front, FrontStatus};

/// A virtual DSA: one group, one dedicated queue, both configured already.
///
/// Dropping it destroys it.
///
/// # Concurrency
/// All methods on any thread. None waits for engines or CPUs.
///
/// # When its client goes
/// It is reset as by a function-level reset: nothing of one client is left for the
/// next, not half a descriptor.
pub struct VirtualDevice {
    parent: Arc<Inner>,
    pasid: Pasid,
    config: AdiConfig,
    pub(super) machine: Arc<AdiMachine>,
    front: Arc<Front>,
}

impl fmt::Debug for VirtualDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VirtualDevice")
            .field("pasid", &self.pasid.get())
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl VirtualDevice {
    pub(super) fn new(
        parent: Arc<Inner>,
        pasid: Pasid,
        config: AdiConfig,
    ) -> Result<Self, ComposeError> {
        let engines = parent.config().engines;
        let parameters = function::parameters(&config, engines);
        let configured = function::configured(&config, engines);
        let space = function::config_space(&parameters)?;
        let machine = AdiMachine::new(Arc::clone(&parent), pasid, config.clone(), space)?;
        let machine = Arc::new(machine);
        let front = Front::new(parameters, Arc::clone(&machine) as _, Some(configured))?;
        Ok(Self {
            parent,
            pasid,
            config,
            machine,
            front,
        })
    }

    /// As whom it submits; unique among the parent's interfaces.
    pub fn pasid(&self) -> Pasid {
        self.pasid
    }

    /// What it was composed as.
    pub fn config(&self) -> &AdiConfig {
        &self.config
    }

    /// Destroys it: its entries are given back at once, its descriptors given up,
    /// and to its client it is a function that was pulled: reads are all ones, and
    /// it takes no trigger for an IMS-backed vector. `hold` is dropped when no engine
    /// executes anything of it and nothing touches its client's memory; then its
    /// PASID may be somebody else's. Harmless if it is destroyed already.
    pub fn destroy(&self, hold: Hold) {
        if !self.machine.close() {
            return;
        }
        self.parent.forget(self.pasid);
        // Whoever is last may be an engine, which must not end what it runs on.
        let (parent, pasid) = (Arc::downgrade(&self.parent), self.pasid);
        let gone = Hold::new(move || {
            if let Some(parent) = parent.upgrade() {
                parent.give_back(pasid);
            }
            drop(hold);
        });
        let dma = &self.machine.function.dma;
        dma.block(gone.clone());
        dma.unmap_all(gone.clone());
        self.front.reset(gone);
    }

    /// Whether it was destroyed.
    pub fn is_destroyed(&self) -> bool {
        self.machine.is_closed()
    }

    /// Waits for all descriptors taken so far: `hold` is dropped when they have ended,
    /// interrupts included.
    pub fn drain(&self, hold: Hold) {
        self.front.drain(hold);
    }

    /// Moves its interrupts to other entries of the store: the handles its guest
    /// has become invalid, descriptors with them end with status 0x19, and it is
    /// told to ask for new ones (INTCAUSE bit 31). Says how many entries were given
    /// back. An interrupt that was on its way, or kept, arrives. The next handle of a
    /// vector has another number, so that a driver sees that it lost the old one; only
    /// if the store has no other entry free is it the same, and the vector is signalled
    /// when what was submitted before has ended. A number may come back as the handle
    /// of another of its vectors, and never works for others.
    pub fn revoke_handles(&self) -> u32 {
        let revoked = self.machine.function.irqs.revoke_all();
        self.machine.handles.revoked();
        if revoked > 0 {
            self.front.handles_revoked();
        }
        revoked
    }

    /// The registers' state.
    pub fn status(&self) -> FrontStatus {
        self.front.status()
    }

    /// Everything as after power-on, but for config space, triggers and maps.
    fn reset_registers(&self, hold: Hold) {
        self.front.reset(hold);
        self.machine.msix.reset(&self.machine.function.irqs);
    }
}

impl ims_vfio::Device for VirtualDevice {
    fn function(&self) -> &Function {
        &self.machine.function
    }

    fn read(&self, region: u32, offset: u64, data: &mut [u8]) -> Result<(), AccessError> {
        match region {
            _ if self.is_destroyed() => data.fill(0xff),
            BAR_REGISTERS => self.front.read(offset, data),
            // Portals are write-only.
            BAR_PORTALS => data.fill(0xff),
            _ => return Err(AccessError::Outside),
        }
        Ok(())
    }

    fn write(&self, region: u32, offset: u64, data: &[u8]) -> Result<(), AccessError> {
        match region {
            _ if self.is_destroyed() => {}
            BAR_REGISTERS => self.front.write(offset, data),
            BAR_PORTALS => self.front.store(offset, data),
            _ => return Err(AccessError::Outside),
        }
        Ok(())
    }

    fn reset(&self, hold: Hold) {
        self.reset_registers(hold);
    }

    fn bus_master(&self, on: bool) {
        if !on {
            self.front.bus_master_off();
        }
    }

    fn msix(&self, control: MsixControl) {
        self.machine
            .msix
            .control(control, &self.machine.function.irqs);
    }

    fn client_gone(&self, hold: Hold) {
        let Function { config, dma, .. } = &self.machine.function;
        Config::reset(config);
        dma.block(hold.clone());
        self.reset_registers(hold);
    }
}

impl Drop for VirtualDevice {
    fn drop(&mut self) {
        self.destroy(Hold::nobody());
    }
}
