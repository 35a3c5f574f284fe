// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Functions as a client drives them.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "helpers of tests"
)]

mod mmio_function;
mod pci_function;

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use ims_vfio::dma::{Access, Backing, Dma, Map};
use ims_vfio::irqs::{Payload, SetIrqs};
use ims_vfio::layout::{irq, irq_set, region};
use ims_vfio::{Endpoint, Hold, Stop, Written};
use rustix::event::{EventfdFlags, eventfd};
use vm_memory::mmap::MmapRegion;
use vm_memory::volatile_memory::{VolatileMemory, VolatileSlice};

use crate::recorder::Recorder;

/// Bytes of the client's memory, from address 0.
const MEMORY: u64 = 1 << 20;
/// Offset of the command register.
const COMMAND: u64 = 4;
const MEMORY_SPACE: u16 = 1 << 1;
const BUS_MASTER: u16 = 1 << 2;
const MSIX_ENABLE: u16 = 1 << 15;
const FUNCTION_MASK: u16 = 1 << 14;

struct Ram(MmapRegion<()>);

impl Backing for Ram {
    fn slice(&self, offset: u64, length: usize) -> Option<VolatileSlice<'_>> {
        self.0.get_slice(usize::try_from(offset).ok()?, length).ok()
    }
}

/// A client of one function, with memory.
struct Client {
    endpoint: Endpoint,
}

impl Client {
    fn new(device: Arc<dyn ims_vfio::Device>) -> Self {
        let endpoint = Endpoint::new(device);
        let ram: Arc<dyn Backing> = Arc::new(Ram(MmapRegion::new(MEMORY as usize).unwrap()));
        let map = Map {
            address: 0,
            size: MEMORY,
            access: Access::READ_WRITE,
            memory: Some((ram, 0)),
        };
        endpoint.function().dma.map(map).unwrap();
        Self { endpoint }
    }

    fn get(&self, index: u32, offset: u64, bytes: usize) -> u64 {
        let mut value = [0; 8];
        let data = &mut value[..bytes];
        self.endpoint.read(index, offset, data).unwrap();
        u64::from_le_bytes(value)
    }

    /// Writes, and makes the stop that follows.
    fn set(&self, index: u32, offset: u64, bytes: usize, value: u64) -> Told {
        let told = Told::default();
        let data = &value.to_le_bytes()[..bytes];
        match self.endpoint.write(index, offset, data).unwrap() {
            Written::Done => {}
            Written::Stops(stop) => self.endpoint.stop(stop, told.hold()),
        }
        told
    }

    fn config(&self, offset: u64, bytes: usize) -> u64 {
        self.get(region::CONFIG, offset, bytes)
    }

    fn command(&self, bits: u16) -> Told {
        self.set(region::CONFIG, COMMAND, 2, bits.into())
    }

    /// Where the capabilities with this id are.
    fn capabilities(&self, id: u8) -> Vec<u64> {
        let mut at = self.config(0x34, 1);
        let mut found = Vec::new();
        while at != 0 {
            if self.config(at, 1) == u64::from(id) {
                found.push(at);
            }
            at = self.config(at + 1, 1);
        }
        found
    }

    fn msix(&self, bits: u16) {
        let at = self.capabilities(0x11)[0];
        self.set(region::CONFIG, at + 2, 2, bits.into());
    }

    fn trigger(&self, index: u32, vector: u32) -> OwnedFd {
        let fd = eventfd(0, EventfdFlags::NONBLOCK).unwrap();
        let header = SetIrqs {
            argsz: irq_set::HEADER,
            flags: irq_set::DATA_EVENTFD | irq_set::ACTION_TRIGGER,
            index,
            start: vector,
            count: 1,
        };
        let given = Payload::Triggers(vec![Some(fd.try_clone().unwrap())]);
        let irqs = &self.endpoint.function().irqs;
        irqs.set(header, given).unwrap();
        fd
    }

    fn unmask_pin(&self) {
        let header = SetIrqs {
            argsz: irq_set::HEADER,
            flags: irq_set::DATA_NONE | irq_set::ACTION_UNMASK,
            index: irq::INTX,
            start: 0,
            count: 1,
        };
        let irqs = &self.endpoint.function().irqs;
        irqs.set(header, Payload::None).unwrap();
    }
}

fn count(fd: &OwnedFd) -> u64 {
    let mut bytes = [0; 8];
    rustix::io::read(fd, &mut bytes).map_or(0, |_| u64::from_ne_bytes(bytes))
}

/// How often a hold's last clone was dropped.
#[derive(Clone, Default)]
struct Told(Arc<AtomicU32>);

impl Told {
    fn hold(&self) -> Hold {
        let told = Arc::clone(&self.0);
        Hold::new(move || {
            told.fetch_add(1, Ordering::SeqCst);
        })
    }

    fn times(&self) -> u32 {
        self.0.load(Ordering::SeqCst)
    }
}

type TestDevice = Recorder<Dma>;
