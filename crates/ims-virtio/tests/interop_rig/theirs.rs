// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The transport trait of `virtio-drivers` on our registers: features, status and queues
//! are theirs to set, interrupts are set up by our driver.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use ims_virtio::layout::status;
use ims_virtio_driver::Message;
use ims_virtio_driver::interrupts::{Accept, Chosen, Plan, area_bytes};
use ims_virtio_driver::queue::Rings;
use ims_virtio_driver::shared::Window;
use ims_virtio_driver::transport::Transport;
use virtio_drivers::transport::{DeviceStatus, DeviceType, InterruptStatus, Transport as Theirs};
use virtio_drivers::{PhysAddr, Result};
use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::hal::MEMORY;
use crate::driver_rig::{AREA, Memory, Wired};

/// How interrupts come, once the driver is ready.
pub type Shown = Arc<Mutex<Option<Chosen<Wired, Window<Memory>>>>>;

pub struct Bridge<T> {
    ours: T,
    accept: Accept,
    agreed: u64,
    set: HashSet<u16>,
    chosen: Shown,
}

impl<T: Transport<Registers = Wired>> Bridge<T> {
    pub fn new(ours: T, accept: Accept) -> (Self, Shown) {
        let chosen = Shown::default();
        let bridge = Self {
            ours,
            accept,
            agreed: 0,
            set: HashSet::new(),
            chosen: Arc::clone(&chosen),
        };
        (bridge, chosen)
    }

    /// Configuration on vector 0, the one queue on vector 1.
    fn set_up_interrupts(&self) {
        let message = |vector| Message {
            address: 0xfee0_0000,
            data: vector,
        };
        let plan = Plan {
            messages: &[message(0), message(1)],
            queues: &[1],
            config: 0,
        };
        let area = Window::new(Arc::clone(&MEMORY), AREA, area_bytes(2, 1));
        let chosen = self.ours.interrupts(self.agreed, &self.accept, &plan, area);
        *self.chosen.lock().unwrap() = Some(chosen);
    }
}

impl<T: Transport<Registers = Wired>> Theirs for Bridge<T> {
    fn device_type(&self) -> DeviceType {
        DeviceType::try_from(self.ours.kind()).unwrap()
    }

    fn read_device_features(&mut self) -> u64 {
        self.ours.offered()
    }

    fn write_driver_features(&mut self, theirs: u64) {
        let extra = self.ours.interrupt_features(&self.accept);
        self.agreed = theirs | self.ours.offered() & extra;
        self.ours.accept(self.agreed);
    }

    fn max_queue_size(&mut self, queue: u16) -> u32 {
        self.ours.queue_limit(queue).into()
    }

    fn notify(&mut self, queue: u16) {
        let doorbell = self.ours.doorbell(queue, self.agreed, &self.accept);
        doorbell.ring();
    }

    fn get_status(&self) -> DeviceStatus {
        DeviceStatus::from_bits_retain(self.ours.status())
    }

    fn set_status(&mut self, new: DeviceStatus) {
        if new.bits() & status::DRIVER_OK != 0 {
            assert_ne!(self.ours.status() & status::FEATURES_OK, 0);
            self.set_up_interrupts();
        }
        self.ours.set_status(new.bits());
        if new.is_empty() {
            while self.ours.status() != 0 {
                std::thread::yield_now();
            }
        }
    }

    fn set_guest_page_size(&mut self, _: u32) {}

    fn requires_legacy_layout(&self) -> bool {
        false
    }

    fn queue_set(
        &mut self,
        queue: u16,
        size: u32,
        descriptors: PhysAddr,
        driver: PhysAddr,
        device: PhysAddr,
    ) {
        let rings = Rings {
            size: u16::try_from(size).unwrap(),
            descriptors,
            driver,
            device,
        };
        self.ours.set_queue(queue, &rings);
        self.set.insert(queue);
    }

    fn queue_unset(&mut self, queue: u16) {
        // The memory goes: the device must be out of it.
        self.set_status(DeviceStatus::empty());
        self.set.remove(&queue);
    }

    fn queue_used(&mut self, queue: u16) -> bool {
        self.set.contains(&queue)
    }

    fn ack_interrupt(&mut self) -> InterruptStatus {
        let chosen = self.chosen.lock().unwrap();
        let cause = chosen.as_ref().unwrap().interrupts.acknowledge();
        let mut status = InterruptStatus::empty();
        status.set(InterruptStatus::QUEUE_INTERRUPT, cause.used);
        status.set(
            InterruptStatus::DEVICE_CONFIGURATION_INTERRUPT,
            cause.config,
        );
        status
    }

    fn read_config_generation(&self) -> u32 {
        self.ours.generation()
    }

    fn read_config_space<V: FromBytes + IntoBytes>(&self, offset: usize) -> Result<V> {
        let bytes = size_of::<V>();
        let value = self.ours.configuration(offset as u16, bytes as u8);
        Ok(V::read_from_bytes(&value.to_le_bytes()[..bytes]).unwrap())
    }

    fn write_config_space<V: IntoBytes + Immutable>(
        &mut self,
        offset: usize,
        value: V,
    ) -> Result<()> {
        let mut wide = [0; 8];
        let bytes = value.as_bytes();
        wide[..bytes.len()].copy_from_slice(bytes);
        let value = u64::from_le_bytes(wide);
        self.ours.configure(offset as u16, value, bytes.len() as u8);
        Ok(())
    }
}
