// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A client of a function: what a VMM does for its guest, in this process.

pub mod backing;

use std::os::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use ims_vfio::dma::{Access, Backing, Map, ReadThen, Remote, WriteThen};
use ims_vfio::irqs::{Payload, SetIrqs};
use ims_vfio::layout::{irq, irq_set, region};
use ims_vfio::{Endpoint, Hold, Written};
use ims_virtio_driver::Registers;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::Errno;
use vm_memory::volatile_memory::VolatileSlice;
use vm_memory::{GuestAddress, GuestMemoryBackend, GuestMemoryMmap};

pub type Memory = Arc<GuestMemoryMmap<()>>;

/// How long an interrupt may take before it counts as lost.
const PATIENCE: Duration = Duration::from_secs(20);

pub fn memory(bytes: u64) -> Memory {
    let ranges = [(GuestAddress(0), usize::try_from(bytes).unwrap())];
    Arc::new(GuestMemoryMmap::from_ranges(&ranges).unwrap())
}

struct Ram(Memory);

impl Backing for Ram {
    fn slice(&self, offset: u64, length: usize) -> Option<VolatileSlice<'_>> {
        self.0.get_slice(GuestAddress(offset), length).ok()
    }
}

/// The messages that came, by their data.
#[derive(Default)]
pub struct Messages {
    came: Mutex<Vec<(u64, u32)>>,
    changed: Condvar,
}

impl Messages {
    /// Takes one of this address and data.
    pub fn wait(&self, address: u64, data: u32) {
        let begin = Instant::now();
        let mut came = self.came.lock().unwrap();
        loop {
            if let Some(at) = came.iter().position(|had| *had == (address, data)) {
                came.remove(at);
                return;
            }
            let left = PATIENCE.checked_sub(begin.elapsed());
            let left = left.unwrap_or_else(|| panic!("no message {data:#x} to {address:#x}"));
            (came, _) = self.changed.wait_timeout(came, left).unwrap();
        }
    }

    pub fn count(&self) -> usize {
        self.came.lock().unwrap().len()
    }
}

impl Remote for Messages {
    fn read(&self, _: u64, _: usize, then: ReadThen) {
        then(Err(Errno::FAULT));
    }

    fn write(&self, _: u64, _: &[u8], then: WriteThen) {
        then(Err(Errno::FAULT));
    }

    fn post(&self, address: u64, data: &[u8]) -> Result<(), Errno> {
        let data = u32::from_le_bytes(data.try_into().unwrap());
        self.came.lock().unwrap().push((address, data));
        self.changed.notify_all();
        Ok(())
    }

    fn abandon(&self, _: Option<std::ops::Range<u64>>) {}

    fn may_wait(&self) -> bool {
        true
    }
}

/// The client. A clone is the same, as the registers of a driver.
#[derive(Clone)]
pub struct Client {
    pub endpoint: Endpoint,
    pub messages: Arc<Messages>,
}

impl Client {
    /// With `memory` mapped, and bus mastering on.
    pub fn new(device: Arc<dyn ims_vfio::Device>, memory: &Memory) -> Self {
        let client = Self {
            endpoint: Endpoint::new(device),
            messages: Arc::default(),
        };
        client.come(memory);
        client
    }

    /// Comes, for the first time or again.
    pub fn come(&self, memory: &Memory) {
        let bytes: u64 = memory.iter().map(vm_memory::GuestMemoryRegion::len).sum();
        let ram: Arc<dyn Backing> = Arc::new(Ram(Arc::clone(memory)));
        let map = Map {
            address: 0,
            size: bytes,
            access: Access::READ_WRITE,
            memory: Some((ram, 0)),
        };
        self.endpoint.function().dma.map(map).unwrap();
        self.endpoint.attach(self.messages.clone());
        self.bus_master(true);
    }

    /// Goes, and waits until it is gone.
    pub fn go(&self) {
        wait_for(|hold| self.endpoint.detach(hold));
    }

    pub fn bus_master(&self, on: bool) {
        let command = if on { 6 } else { 2 };
        self.config_write(4, &[command, 0]);
    }

    fn config_write(&self, offset: u64, data: &[u8]) {
        let written = self.endpoint.write(region::CONFIG, offset, data).unwrap();
        if let Written::Stops(stop) = written {
            wait_for(|hold| self.endpoint.stop(stop, hold));
        }
    }

    /// Enables MSI-X of the function.
    pub fn enable_msix(&self) {
        let mut at = 0x34;
        loop {
            at = u64::from(self.config_byte(at));
            assert_ne!(at, 0, "no MSI-X");
            if self.config_byte(at) == 0x11 {
                return self.config_write(at + 2, &[0, 0x80]);
            }
            at += 1;
        }
    }

    fn config_byte(&self, offset: u64) -> u8 {
        let mut byte = [0];
        self.endpoint
            .read(region::CONFIG, offset, &mut byte)
            .unwrap();
        byte[0]
    }

    pub fn trigger(&self, index: u32, vector: u32) -> Trigger {
        let fd = eventfd(0, EventfdFlags::NONBLOCK).unwrap();
        let given = Payload::Triggers(vec![Some(fd.try_clone().unwrap())]);
        let flags = irq_set::DATA_EVENTFD | irq_set::ACTION_TRIGGER;
        self.set_irqs(flags, index, vector, given);
        Trigger(fd)
    }

    pub fn unmask_pin(&self) {
        let flags = irq_set::DATA_NONE | irq_set::ACTION_UNMASK;
        self.set_irqs(flags, irq::INTX, 0, Payload::None);
    }

    fn set_irqs(&self, flags: u32, index: u32, start: u32, payload: Payload<'_>) {
        let header = SetIrqs {
            argsz: irq_set::HEADER,
            flags,
            index,
            start,
            count: 1,
        };
        let irqs = &self.endpoint.function().irqs;
        irqs.set(header, payload).unwrap();
    }
}

/// Waits until all let go.
fn wait_for(stop: impl FnOnce(Hold)) {
    let (gone, all_gone) = std::sync::mpsc::channel();
    stop(Hold::new(move || gone.send(()).unwrap()));
    all_gone.recv_timeout(PATIENCE).expect("somebody holds on");
}

/// The eventfd of a vector.
pub struct Trigger(OwnedFd);

impl Trigger {
    /// Waits until it was signalled, and takes that.
    pub fn wait(&self) {
        let limit = Timespec {
            tv_sec: PATIENCE.as_secs().try_into().unwrap(),
            tv_nsec: 0,
        };
        let mut look = [PollFd::new(&self.0, PollFlags::IN)];
        assert_eq!(poll(&mut look, Some(&limit)).unwrap(), 1, "no interrupt");
        rustix::io::read(&self.0, &mut [0; 8]).unwrap();
    }
}

impl Registers for Client {
    fn read(&self, bar: u8, offset: u64, bytes: u8) -> u64 {
        let mut value = [0; 8];
        let data = &mut value[..usize::from(bytes)];
        self.endpoint.read(bar.into(), offset, data).unwrap();
        u64::from_le_bytes(value)
    }

    fn write(&self, bar: u8, offset: u64, value: u64, bytes: u8) {
        let data = &value.to_le_bytes()[..usize::from(bytes)];
        let written = self.endpoint.write(bar.into(), offset, data);
        assert_eq!(written, Ok(Written::Done));
    }

    fn read_config(&self, offset: u16) -> u32 {
        let mut value = [0; 4];
        self.endpoint
            .read(region::CONFIG, offset.into(), &mut value)
            .unwrap();
        u32::from_le_bytes(value)
    }

    fn write_config(&self, offset: u16, value: u32) {
        self.config_write(offset.into(), &value.to_le_bytes());
    }
}
