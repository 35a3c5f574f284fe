// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A guest and its client in one: it maps memory, gives triggers, and drives the
//! registers and portals of a virtual device through its endpoint.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ims_dsa::adi::{AdiReport, VectorReport, VirtualDevice};
use ims_dsa::layout::command::{CommandRegister, CommandStatus};
use ims_dsa::layout::registers::{CMD, CMDSTATUS, GENSTS};
use ims_dsa::layout::{Completion, Descriptor, Flags, Opcode, Status};
use ims_vfio::dma::{Access, Backing, Map};
use ims_vfio::irqs::{Payload, SetIrqs};
use ims_vfio::layout::{irq, irq_set, region};
use ims_vfio::{Endpoint, Hold, Written};
use rustix::event::{EventfdFlags, eventfd};
use vm_memory::mmap::MmapRegion;
use vm_memory::{Bytes, VolatileMemory, VolatileSlice};
use zerocopy::IntoBytes;

pub const LIMIT: Duration = Duration::from_secs(60);

/// Where a guest has its memory, and how much.
pub const RAM: u64 = 0x10_0000;
pub const SIZE: usize = 0x4_0000;

/// Command register of config space, and its bits.
const COMMAND: u64 = 4;
pub const MEMORY_AND_MASTER: u16 = 0x6;

pub struct Ram(pub MmapRegion<()>);

impl Backing for Ram {
    fn slice(&self, offset: u64, length: usize) -> Option<VolatileSlice<'_>> {
        let offset = usize::try_from(offset).ok()?;
        self.0.get_slice(offset, length).ok()
    }
}

impl Ram {
    pub fn new() -> Arc<Self> {
        Arc::new(Self(MmapRegion::new(SIZE).unwrap()))
    }

    pub fn write(&self, address: u64, bytes: &[u8]) {
        let at = (address - RAM) as usize;
        self.0.as_volatile_slice().write_slice(bytes, at).unwrap();
    }

    pub fn read(&self, address: u64, bytes: &mut [u8]) {
        let at = (address - RAM) as usize;
        self.0.as_volatile_slice().read_slice(bytes, at).unwrap();
    }

    /// The status of the completion record at `address`.
    pub fn status(&self, address: u64) -> u8 {
        let at = (address - RAM) as usize;
        let memory = self.0.as_volatile_slice();
        memory.load(at, Ordering::Acquire).unwrap()
    }
}

pub struct Guest {
    pub device: Arc<VirtualDevice>,
    pub endpoint: Endpoint,
    pub ram: Arc<Ram>,
}

/// Counts how often holds were let go.
#[derive(Clone, Default)]
pub struct Told(Arc<AtomicU32>);

impl Told {
    pub fn hold(&self) -> Hold {
        let told = Arc::clone(&self.0);
        Hold::new(move || {
            told.fetch_add(1, Ordering::SeqCst);
        })
    }

    pub fn wait(&self) {
        wait("the hold", || self.0.load(Ordering::SeqCst) == 1);
    }
}

pub fn wait(what: &str, done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < LIMIT, "{what} did not happen");
        std::thread::yield_now();
    }
}

/// How often an eventfd was signalled since it was looked at.
pub fn drain(fd: &OwnedFd) -> u64 {
    let mut count = [0; 8];
    rustix::io::read(fd, &mut count).map_or(0, |_| u64::from_ne_bytes(count))
}

/// Waits until an eventfd has been signalled `times`, which has not been looked at. (A
/// CPU counts an interrupt before its handler has signalled.)
pub fn signalled(fd: &OwnedFd, times: u64) {
    let seen = AtomicU64::new(0);
    wait("the signals", || {
        let now = drain(fd);
        seen.fetch_add(now, Ordering::Relaxed) + now >= times
    });
    assert_eq!(seen.into_inner(), times);
}

/// Waits until an eventfd is signalled.
pub fn fired(fd: &OwnedFd) {
    wait("the interrupt", || drain(fd) > 0);
}

fn set_irqs(flags: u32, start: u32, count: u32) -> SetIrqs {
    SetIrqs {
        argsz: 20,
        flags,
        index: irq::MSIX,
        start,
        count,
    }
}

impl Guest {
    /// A client attaches, maps memory and turns bus mastering on.
    pub fn new(device: &Arc<VirtualDevice>) -> Self {
        let guest = Self {
            device: Arc::clone(device),
            endpoint: Endpoint::new(Arc::clone(device) as Arc<dyn ims_vfio::Device>),
            ram: Ram::new(),
        };
        guest.map();
        guest.command(MEMORY_AND_MASTER);
        guest
    }

    /// One that has a trigger for each vector and has enabled device and queue.
    pub fn enabled(device: &Arc<VirtualDevice>) -> (Self, Vec<OwnedFd>) {
        let guest = Self::new(device);
        let vectors = 0..u32::from(device.config().vectors);
        let triggers = vectors.map(|vector| guest.trigger(vector)).collect();
        guest.enable();
        (guest, triggers)
    }

    pub fn map(&self) {
        let map = Map {
            address: RAM,
            size: SIZE as u64,
            access: Access::READ_WRITE,
            memory: Some((self.ram.clone(), 0)),
        };
        self.endpoint.function().dma.map(map).unwrap();
    }

    /// Writes the command register of config space, and stops what that stops.
    pub fn command(&self, bits: u16) {
        self.config(COMMAND, &bits.to_le_bytes(), Hold::nobody());
    }

    pub fn config(&self, offset: u64, bytes: &[u8], hold: Hold) {
        match self.endpoint.write(region::CONFIG, offset, bytes).unwrap() {
            Written::Done => {}
            Written::Stops(stop) => self.endpoint.stop(stop, hold),
        }
    }

    /// Gives a vector a new trigger.
    pub fn trigger(&self, vector: u32) -> OwnedFd {
        let fd = eventfd(0, EventfdFlags::NONBLOCK).unwrap();
        self.try_trigger(vector, fd.try_clone().unwrap()).unwrap();
        fd
    }

    pub fn try_trigger(&self, vector: u32, fd: OwnedFd) -> Result<(), ims_vfio::irqs::SetError> {
        let flags = irq_set::DATA_EVENTFD | irq_set::ACTION_TRIGGER;
        let payload = Payload::Triggers(vec![Some(fd)]);
        self.endpoint
            .function()
            .irqs
            .set(set_irqs(flags, vector, 1), payload)
    }

    /// Takes all triggers away.
    pub fn disable_irqs(&self) {
        let flags = irq_set::DATA_NONE | irq_set::ACTION_TRIGGER;
        let irqs = &self.endpoint.function().irqs;
        irqs.set(set_irqs(flags, 0, 0), Payload::None).unwrap();
    }

    pub fn read32(&self, offset: u64) -> u32 {
        let mut bytes = [0; 4];
        self.endpoint.read(0, offset, &mut bytes).unwrap();
        u32::from_le_bytes(bytes)
    }

    pub fn write32(&self, offset: u64, value: u32) {
        let written = self.endpoint.write(0, offset, &value.to_le_bytes());
        assert_eq!(written.unwrap(), Written::Done);
    }

    /// Gives a command, and polls for its end: error and result.
    pub fn run(&self, command: u8, operand: u32) -> (u8, u16) {
        let register = CommandRegister::new()
            .with_command(command)
            .with_operand(operand);
        self.write32(CMD, register.into_bits());
        wait("the command", || !self.command_status().active());
        let status = self.command_status();
        (status.error(), status.result())
    }

    pub fn command_status(&self) -> CommandStatus {
        CommandStatus::from_bits(self.read32(CMDSTATUS))
    }

    /// Enables the device and its queue.
    pub fn enable(&self) {
        assert_eq!(self.run(1, 0).0, 0, "enable device");
        assert_eq!(self.run(6, 0).0, 0, "enable queue");
    }

    pub fn state(&self) -> u32 {
        self.read32(GENSTS) & 3
    }

    /// Asks for the handle of a vector.
    pub fn handle(&self, vector: u32) -> u16 {
        let (error, handle) = self.run(13, vector);
        assert_eq!(error, 0, "no handle for vector {vector}");
        handle
    }

    /// Stores a descriptor to page `page` of the portals, as eight words.
    pub fn submit(&self, page: u64, slot: u64, descriptor: &Descriptor) {
        for (word, bytes) in (0u64..).zip(descriptor.as_bytes().chunks(8)) {
            let offset = page * 0x1000 + slot % 64 * 64 + word * 8;
            let written = self.endpoint.write(2, offset, bytes).unwrap();
            assert_eq!(written, Written::Done);
        }
    }

    pub fn report(&self) -> AdiReport {
        self.device.report()
    }

    /// What is reported of a vector.
    pub fn vector(&self, vector: u32) -> VectorReport {
        let report = self.report();
        let mut all = report.vectors.into_iter();
        all.find(|one| one.vector == vector).unwrap()
    }

    /// Whether a vector's raises are all accounted for by now.
    pub fn adds_up(&self, vector: u32) -> bool {
        let one = self.vector(vector);
        one.raised == one.delivered + one.coalesced + one.faulted + one.dropped
    }
}

/// A move of `size` bytes that tells its end by record and, with a handle, by
/// interrupt.
pub fn copy(from: u64, to: u64, size: u32, record: u64, handle: Option<u16>) -> Descriptor {
    let mut flags = Flags::RECORD_VALID | Flags::REQUEST_RECORD;
    if handle.is_some() {
        flags = flags | Flags::REQUEST_INTERRUPT;
    }
    let mut descriptor = Descriptor::new(Opcode::MemoryMove, flags);
    descriptor.source = from.into();
    descriptor.destination = to.into();
    descriptor.size = size.into();
    descriptor.completion = record.into();
    descriptor.handle = handle.unwrap_or(0).into();
    descriptor
}

/// A record as the guest reads it.
pub fn record(ram: &Ram, address: u64) -> Completion {
    let mut bytes = [0; 32];
    ram.read(address, &mut bytes);
    Completion::from_bytes(&bytes)
}

pub const SUCCESS: u8 = Status::Success.code();
pub const INVALID_HANDLE: u8 = Status::InvalidHandle.code();
