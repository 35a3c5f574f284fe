// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A PCI function with a virtio device: configuration space, BAR 0, MSI-X in BAR 1.

use std::sync::{Arc, Mutex};

use ims::msix::{BarOffset, Msix, MsixConfig, MsixPort};
use ims::sink::MessageSink;
use ims_virtio::layout::pci::{CAPABILITY_ID, DEVICE_BASE, VENDOR};
use ims_virtio::pci::{Pci, capabilities};
use ims_virtio::{Device, Line};
use ims_virtio_driver::Registers;

use super::{Memory, REQUESTER, Wired};

const MSIX: u16 = 0x40;

pub struct Function<D, K: MessageSink + Send + Sync + 'static, L> {
    pci: Pci<Memory, D, MsixPort<K>, L>,
    msix: Mutex<Msix<K>>,
    space: Vec<u8>,
}

impl<D, K, L> Function<D, K, L>
where
    D: Device<Memory>,
    K: MessageSink + Clone + Send + Sync + 'static,
    L: Line,
{
    pub fn wired(device: Arc<D>, memory: &Memory, sink: K, line: L, vectors: u16) -> Wired {
        let place = |offset| BarOffset { bir: 1, offset };
        let config = MsixConfig {
            vectors,
            table: place(0),
            pba: place(0x8000),
        };
        let msix = Msix::new(config, REQUESTER, sink).unwrap();
        let space = space(device.id());
        let pci = Pci::new(device, Arc::clone(memory), msix.port(), line).unwrap();
        let msix = Mutex::new(msix);
        Wired(Arc::new(Self { pci, msix, space }))
    }
}

impl<D, K, L> Registers for Function<D, K, L>
where
    D: Device<Memory>,
    K: MessageSink + Clone + Send + Sync + 'static,
    L: Line,
{
    fn read(&self, bar: u8, offset: u64, bytes: u8) -> u64 {
        let mut value = [0; 8];
        let into = &mut value[..usize::from(bytes)];
        match bar {
            0 => self.pci.read(offset, into),
            1 => self.msix.lock().unwrap().read_table(offset, into),
            _ => panic!("BAR {bar}"),
        }
        u64::from_le_bytes(value)
    }

    fn write(&self, bar: u8, offset: u64, value: u64, bytes: u8) {
        let value = value.to_le_bytes();
        let from = &value[..usize::from(bytes)];
        match bar {
            0 => self.pci.write(offset, from),
            1 => self.msix.lock().unwrap().write_table(offset, from),
            _ => panic!("BAR {bar}"),
        }
    }

    fn read_config(&self, offset: u16) -> u32 {
        let mut value = [0; 4];
        if (MSIX..MSIX + 12).contains(&offset) {
            self.msix
                .lock()
                .unwrap()
                .read_config(offset - MSIX, &mut value);
            if offset == MSIX {
                value[1] = 0x50;
            }
        } else {
            let at = usize::from(offset);
            value.copy_from_slice(&self.space[at..at + 4]);
        }
        u32::from_le_bytes(value)
    }

    fn write_config(&self, offset: u16, value: u32) {
        if (MSIX..MSIX + 12).contains(&offset) {
            let mut msix = self.msix.lock().unwrap();
            msix.write_config(offset - MSIX, &value.to_le_bytes());
            self.pci.set_msix_enabled(msix.enabled());
        }
    }
}

fn space(kind: u32) -> Vec<u8> {
    let mut space = vec![0; 256];
    let device = DEVICE_BASE + kind as u16;
    space[0..2].copy_from_slice(&VENDOR.to_le_bytes());
    space[2..4].copy_from_slice(&device.to_le_bytes());
    space[6] = 1 << 4;
    space[0x34] = MSIX as u8;
    let mut at = 0x50;
    for capability in capabilities() {
        let length = capability.bytes.len() + 3;
        let next = (at + length).next_multiple_of(4);
        space[at] = CAPABILITY_ID;
        space[at + 1] = next as u8;
        space[at + 2] = length as u8;
        space[at + 3..at + length].copy_from_slice(&capability.bytes);
        at = next;
    }
    space
}
