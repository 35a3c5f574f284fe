// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What an orderly driver does.

use ims_virtio::layout::{mmio, pci, vis};

use super::super::device::QUEUES;
use super::{Rig, Transport};

/// Where it has its area of storage.
const AREA: u64 = 0x10000;

impl Rig {
    /// All that is offered is taken.
    pub(crate) fn agree(&self) {
        let (sel, offered, driver_sel, driver) = match self.transport {
            Transport::Mmio(_) => (
                mmio::DEVICE_FEATURES_SEL,
                mmio::DEVICE_FEATURES,
                mmio::DRIVER_FEATURES_SEL,
                mmio::DRIVER_FEATURES,
            ),
            Transport::Pci(_) => (
                pci::common::DEVICE_FEATURE_SELECT,
                pci::common::DEVICE_FEATURE,
                pci::common::DRIVER_FEATURE_SELECT,
                pci::common::DRIVER_FEATURE,
            ),
        };
        self.set_status(3);
        for word in 0..2 {
            self.put(sel, word);
            self.put(driver_sel, word);
            let bits = self.get(offered);
            self.put(driver, bits);
        }
        self.set_status(11);
    }

    pub(crate) fn go(&self) {
        self.agree();
        for (queue, size) in (0u16..).zip(QUEUES) {
            let at = 0x1000 * (1 + 3 * u32::from(queue));
            let addresses = [at, at + 0x1000, at + 0x2000];
            match self.transport {
                Transport::Mmio(_) => {
                    self.put(mmio::QUEUE_SEL, queue.into());
                    self.put(mmio::QUEUE_SIZE, size.into());
                    let registers = [mmio::QUEUE_DESC, mmio::QUEUE_DRIVER, mmio::QUEUE_DEVICE];
                    for (register, at) in registers.into_iter().zip(addresses) {
                        self.put(register, at);
                        self.put(register + 4, 0);
                    }
                    self.put(mmio::QUEUE_READY, 1);
                }
                Transport::Pci(_) => {
                    use pci::common::{QUEUE_DESC, QUEUE_DEVICE, QUEUE_DRIVER};
                    self.write(pci::common::QUEUE_SELECT, &queue.to_le_bytes());
                    self.write(pci::common::QUEUE_SIZE, &size.to_le_bytes());
                    let registers = [QUEUE_DESC, QUEUE_DRIVER, QUEUE_DEVICE];
                    for (register, at) in registers.into_iter().zip(addresses) {
                        self.put(register, at);
                        self.put(register + 4, 0);
                    }
                    self.write(pci::common::QUEUE_ENABLE, &[1, 0]);
                }
            }
        }
        self.set_status(15);
    }

    /// A sound area with four vectors, one for each event.
    pub(crate) fn store(&self) {
        use vis::header;
        let (messages, map, gates) = (header::BYTES, 0x100, 0x140);
        for (field, value) in [
            (header::VECTORS, 4),
            (header::QUEUES, 3),
            (header::CONFIG_VECTOR, 0),
            (header::GATE_SHIFT, 2),
            (header::MESSAGES, 0x80),
            (header::MAP, 0x100),
            (header::GATES, 0x140),
            (header::LENGTH, 0x180),
            (map, 1),
            (map + 4, 2),
            (map + 8, 3),
        ] {
            self.poke(AREA + field, value);
        }
        for vector in 0..4 {
            let message = AREA + messages + u64::from(vector) * vis::message::BYTES;
            for (at, value) in [0xfee0_0000, 0, vector, 0].into_iter().enumerate() {
                self.poke(message + 4 * at as u64, value);
            }
            self.poke(AREA + gates + u64::from(vector) * 4, 0);
        }
        self.put(vis::register::ADDRESS_LOW, AREA as u32);
        self.put(vis::register::ADDRESS_HIGH, 0);
        self.put(vis::register::COMMAND, vis::Command::Enable.with(0));
    }
}
