// SPDX-License-Identifier: Apache-2.0 OR MIT
//! virtio over PCI, not legacy. Source: virtio 1.3, 4.1.

use ims_virtio::layout::pci::{self, common};

use super::capabilities::{self, MsixPlace, Place};
use super::{Doorbell, FindError, Transport};
use crate::interrupts::{Accept, Chosen, Interrupts, Line, Msix, Plan, Refusal};
use crate::queue::Rings;
use crate::registers::{Registers, halves, low};
use crate::shared::Shared;

/// A function whose BARs have addresses.
#[derive(Debug, Clone, Copy)]
pub struct Pci<R> {
    registers: R,
    kind: u32,
    common: Place,
    notify: Place,
    multiplier: u32,
    isr: Place,
    device: Option<Place>,
    msix: Option<MsixPlace>,
}

impl<R: Registers + Clone> Pci<R> {
    /// Looks whether it is a virtio function, where its structures are, and lets it
    /// decode and reach memory.
    ///
    /// # Errors
    /// [`FindError`].
    pub fn find(registers: R) -> Result<Self, FindError> {
        let id = registers.read_config(capabilities::ID);
        let [a, b, c, d] = id.to_le_bytes();
        let (vendor, device) = (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]));
        let kind = device.checked_sub(pci::DEVICE_BASE);
        let kind = match kind {
            Some(kind @ 1..0x40) if vendor == pci::VENDOR => u32::from(kind),
            _ => return Err(FindError::Function { vendor, device }),
        };
        let found = capabilities::walk(&registers);
        let (notify, multiplier) = found.notify.ok_or(FindError::Capability(pci::CAP_NOTIFY))?;
        let common = found
            .common
            .filter(|place| place.length >= common::QUEUE_NOTIF_CONFIG_DATA)
            .ok_or(FindError::Capability(pci::CAP_COMMON))?;
        let isr = found.isr.ok_or(FindError::Capability(pci::CAP_ISR))?;
        // The high half is status, whose bits are cleared by writing 1.
        let command = registers.read_config(capabilities::COMMAND) & 0xffff;
        let command = command | capabilities::MEMORY_AND_MASTER;
        registers.write_config(capabilities::COMMAND, command);
        Ok(Self {
            registers,
            kind,
            common,
            notify,
            multiplier,
            isr,
            device: found.device,
            msix: found.msix,
        })
    }

    fn read(&self, field: u64, bytes: u8) -> u32 {
        let Place { bar, offset, .. } = self.common;
        low(self.registers.read(bar, offset + field, bytes))
    }

    fn write(&self, field: u64, value: u32, bytes: u8) {
        let Place { bar, offset, .. } = self.common;
        let value = u64::from(value);
        self.registers.write(bar, offset + field, value, bytes);
    }

    /// Whether the device took `vector` for what `field` is about.
    fn map(&self, field: u64, vector: u32) -> bool {
        self.write(field, vector, 2);
        self.read(field, 2) == vector
    }

    /// Gives each event its vector.
    fn map_all(&self, plan: &Plan<'_>) -> Result<(), Refusal> {
        let no = u32::from(pci::NO_VECTOR);
        if !self.map(common::CONFIG_MSIX_VECTOR, plan.config.min(no)) {
            return Err(Refusal::Map);
        }
        for (queue, vector) in (0_u32..).zip(plan.queues) {
            self.write(common::QUEUE_SELECT, queue, 2);
            if !self.map(common::QUEUE_MSIX_VECTOR, (*vector).min(no)) {
                return Err(Refusal::Map);
            }
        }
        Ok(())
    }

    fn message_interrupts(&self, accept: &Accept, plan: &Plan<'_>) -> Result<Msix<R>, Refusal> {
        let place = self.msix.filter(|_| accept.msix);
        let place = place.ok_or(Refusal::NotOffered)?;
        let msix = Msix::set_up(self.registers.clone(), place, plan)?;
        if let Err(refusal) = self.map_all(plan) {
            msix.disable();
            return Err(refusal);
        }
        Ok(msix)
    }
}

impl<R: Registers + Clone> Transport for Pci<R> {
    type Registers = R;

    fn kind(&self) -> u32 {
        self.kind
    }

    fn offered(&self) -> u64 {
        let half = |select| {
            self.write(common::DEVICE_FEATURE_SELECT, select, 4);
            u64::from(self.read(common::DEVICE_FEATURE, 4))
        };
        half(0) | half(1) << 32
    }

    fn accept(&self, features: u64) {
        for (select, half) in (0..).zip(halves(features)) {
            self.write(common::DRIVER_FEATURE_SELECT, select, 4);
            self.write(common::DRIVER_FEATURE, half, 4);
        }
    }

    fn status(&self) -> u32 {
        self.read(common::DEVICE_STATUS, 1)
    }

    fn set_status(&self, status: u32) {
        self.write(common::DEVICE_STATUS, status, 1);
    }

    fn queue_limit(&self, queue: u16) -> u16 {
        self.write(common::QUEUE_SELECT, u32::from(queue), 2);
        u16::try_from(self.read(common::QUEUE_SIZE, 2)).unwrap_or(0)
    }

    fn set_queue(&self, queue: u16, rings: &Rings) {
        self.write(common::QUEUE_SELECT, u32::from(queue), 2);
        self.write(common::QUEUE_SIZE, u32::from(rings.size), 2);
        for (field, address) in [
            (common::QUEUE_DESC, rings.descriptors),
            (common::QUEUE_DRIVER, rings.driver),
            (common::QUEUE_DEVICE, rings.device),
        ] {
            let [low, high] = halves(address);
            self.write(field, low, 4);
            self.write(field + 4, high, 4);
        }
        self.write(common::QUEUE_ENABLE, 1, 2);
    }

    fn doorbell(&self, queue: u16, _features: u64, _accept: &Accept) -> Doorbell<R> {
        self.write(common::QUEUE_SELECT, u32::from(queue), 2);
        let index = u64::from(self.read(common::QUEUE_NOTIFY_OFF, 2));
        Doorbell {
            registers: self.registers.clone(),
            bar: self.notify.bar,
            offset: self.notify.offset + index * u64::from(self.multiplier),
            value: queue,
            bytes: 2,
        }
    }

    fn configuration(&self, offset: u16, bytes: u8) -> u64 {
        let end = u64::from(offset) + u64::from(bytes);
        match self.device {
            Some(place) if end <= place.length => {
                let offset = place.offset + u64::from(offset);
                self.registers.read(place.bar, offset, bytes)
            }
            _ => 0,
        }
    }

    fn configure(&self, offset: u16, value: u64, bytes: u8) {
        let end = u64::from(offset) + u64::from(bytes);
        if let Some(place) = self.device.filter(|place| end <= place.length) {
            let offset = place.offset + u64::from(offset);
            self.registers.write(place.bar, offset, value, bytes);
        }
    }

    fn generation(&self) -> u32 {
        self.read(common::CONFIG_GENERATION, 1)
    }

    fn interrupt_features(&self, _accept: &Accept) -> u64 {
        0
    }

    fn interrupts<S: Shared>(
        &self,
        _agreed: u64,
        accept: &Accept,
        plan: &Plan<'_>,
        _area: Option<S>,
    ) -> Chosen<R, S> {
        let line = Line::pci(self.registers.clone(), self.isr.bar, self.isr.offset);
        let mut chosen = Chosen::new(Interrupts::Single(line));
        if accept.msix {
            match self.message_interrupts(accept, plan) {
                Ok(msix) => {
                    chosen.interrupts = Interrupts::Msix(msix);
                    return chosen;
                }
                Err(refusal) => chosen.msix = Some(refusal),
            }
        }
        if let Some(place) = &self.msix {
            Msix::leave(&self.registers, place);
        }
        chosen
    }
}
