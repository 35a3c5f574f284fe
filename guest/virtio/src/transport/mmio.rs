// SPDX-License-Identifier: Apache-2.0 OR MIT
//! virtio-mmio, version 2. Source: virtio 1.3, 4.2.

use ims_virtio::layout::features;
use ims_virtio::layout::mmio as register;
use ims_virtio::layout::msi::Notification;

use super::{Doorbell, FindError, Transport};
use crate::interrupts::{Accept, Chosen, Interrupts, Line, Msi, Plan, Refusal, Vis};
use crate::queue::Rings;
use crate::registers::{Registers, halves, low};
use crate::shared::Shared;

/// A register block.
#[derive(Debug, Clone, Copy)]
pub struct Mmio<R> {
    registers: R,
    kind: u32,
}

impl<R: Registers + Clone> Mmio<R> {
    /// Looks whether there is a device. Three reads.
    ///
    /// # Errors
    /// [`FindError`].
    pub fn find(registers: R) -> Result<Self, FindError> {
        let read = |offset| low(registers.read(0, offset, 4));
        let magic = read(register::MAGIC);
        if magic != register::MAGIC_VALUE {
            return Err(FindError::Magic(magic));
        }
        let version = read(register::VERSION);
        if version != register::VERSION_VALUE {
            return Err(FindError::Version(version));
        }
        let kind = read(register::DEVICE_ID);
        if kind == 0 {
            return Err(FindError::Empty);
        }
        Ok(Self { registers, kind })
    }

    fn read(&self, offset: u64) -> u32 {
        low(self.registers.read(0, offset, 4))
    }

    fn write(&self, offset: u64, value: u32) {
        self.registers.write(0, offset, u64::from(value), 4);
    }
}

impl<R: Registers + Clone> Transport for Mmio<R> {
    type Registers = R;

    fn kind(&self) -> u32 {
        self.kind
    }

    fn offered(&self) -> u64 {
        let half = |select| {
            self.write(register::DEVICE_FEATURES_SEL, select);
            u64::from(self.read(register::DEVICE_FEATURES))
        };
        half(0) | half(1) << 32
    }

    fn accept(&self, features: u64) {
        for (select, half) in (0..).zip(halves(features)) {
            self.write(register::DRIVER_FEATURES_SEL, select);
            self.write(register::DRIVER_FEATURES, half);
        }
    }

    fn status(&self) -> u32 {
        self.read(register::STATUS)
    }

    fn set_status(&self, status: u32) {
        self.write(register::STATUS, status);
    }

    fn queue_limit(&self, queue: u16) -> u16 {
        self.write(register::QUEUE_SEL, u32::from(queue));
        let limit = self.read(register::QUEUE_SIZE_MAX);
        u16::try_from(limit).unwrap_or(1 << 15)
    }

    fn set_queue(&self, queue: u16, rings: &Rings) {
        self.write(register::QUEUE_SEL, u32::from(queue));
        self.write(register::QUEUE_SIZE, u32::from(rings.size));
        for (offset, address) in [
            (register::QUEUE_DESC, rings.descriptors),
            (register::QUEUE_DRIVER, rings.driver),
            (register::QUEUE_DEVICE, rings.device),
        ] {
            let [low, high] = halves(address);
            self.write(offset, low);
            self.write(offset + 4, high);
        }
        self.write(register::QUEUE_READY, 1);
    }

    fn doorbell(&self, queue: u16, features: u64, accept: &Accept) -> Doorbell<R> {
        let offsets = accept
            .msi
            .is_some_and(|msi| msi.notification_feature & features != 0);
        let offset = if offsets && accept.notification {
            Notification::from_value(self.read(register::QUEUE_NOTIFY)).offset(queue)
        } else {
            register::QUEUE_NOTIFY
        };
        Doorbell {
            registers: self.registers.clone(),
            bar: 0,
            offset,
            value: queue,
            bytes: 4,
        }
    }

    fn configuration(&self, offset: u16, bytes: u8) -> u64 {
        let offset = register::CONFIG + u64::from(offset);
        self.registers.read(0, offset, bytes)
    }

    fn configure(&self, offset: u16, value: u64, bytes: u8) {
        let offset = register::CONFIG + u64::from(offset);
        self.registers.write(0, offset, value, bytes);
    }

    fn generation(&self) -> u32 {
        self.read(register::CONFIG_GENERATION)
    }

    fn interrupt_features(&self, accept: &Accept) -> u64 {
        let msi = accept.msi.map_or(0, |layout| {
            let notification = if accept.notification {
                layout.notification_feature
            } else {
                0
            };
            layout.feature | notification
        });
        let vis = if accept.vis { features::VIS } else { 0 };
        msi | vis
    }

    fn interrupts<S: Shared>(
        &self,
        agreed: u64,
        accept: &Accept,
        plan: &Plan<'_>,
        area: Option<S>,
    ) -> Chosen<R, S> {
        let mut chosen = Chosen::new(Interrupts::Single(Line::mmio(self.registers.clone())));
        if accept.vis {
            let has = agreed & features::VIS != 0;
            let made = match (has, area) {
                (false, _) => Err(Refusal::NotOffered),
                (true, None) => Err(Refusal::NoArea),
                (true, Some(area)) => Vis::set_up(self.registers.clone(), area, plan),
            };
            match made {
                Ok(vis) => return Chosen::new(Interrupts::Vis(vis)),
                Err(refusal) => chosen.vis = Some(refusal),
            }
        }
        if let Some(layout) = accept.msi {
            let has = agreed & layout.feature != 0;
            let made = if has {
                Msi::set_up(self.registers.clone(), layout, plan)
            } else {
                Err(Refusal::NotOffered)
            };
            match made {
                Ok(msi) => chosen.interrupts = Interrupts::Msi(msi),
                Err(refusal) => chosen.msi = Some(refusal),
            }
        }
        chosen
    }
}
