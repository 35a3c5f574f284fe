// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A device, and a client that keeps to the transport's rules and no others: it waits
//! for what it takes away.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ims_dsa::front::map;
use ims_dsa::layout::command::CommandStatus;
use ims_dsa::layout::registers::{CMD, CMDSTATUS, OPCAP};
use ims_dsa::layout::tables::{self, queue};
use ims_dsa::layout::{Descriptor, Flags, Opcode, Status};
use ims_vfio::dma::{ReadThen, Remote, WriteThen};
use ims_vfio::irqs::{Payload, SetIrqs};
use ims_vfio::layout::{irq, irq_set, region};
use ims_vfio::{Endpoint, Hold, Stop, Written};
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;
use zerocopy::IntoBytes;

use crate::memory::{BASE, FRAME, FRAMES, Frame, Memory};
use crate::steps::Step;

/// Far more than anything takes, on a machine that is busy.
const LIMIT: Duration = Duration::from_secs(60);
/// Command register of config space: memory, and bus mastering.
const COMMAND: u64 = 4;
/// Device control of the PCI Express capability: the reset of the function.
const PCIE: u8 = 0x10;
const FLR: u16 = 1 << 15;

/// Takes every message.
struct Client;

impl Remote for Client {
    fn read(&self, _: u64, _: usize, then: ReadThen) {
        then(Err(Errno::OPNOTSUPP));
    }

    fn write(&self, _: u64, _: &[u8], then: WriteThen) {
        then(Ok(()));
    }

    fn post(&self, _: u64, _: &[u8]) -> Result<(), Errno> {
        Ok(())
    }

    fn abandon(&self, _: Option<Range<u64>>) {}

    fn may_wait(&self) -> bool {
        true
    }
}

/// Revokes a device's handles, and says how many descriptors it took so far.
pub type Revoke = Box<dyn Fn() -> u64>;

pub struct Bench {
    endpoint: Endpoint,
    revoke: Revoke,
    configurable: bool,
    pub memory: Memory,
}

fn until(what: &str, limit: Duration, done: impl Fn() -> bool) -> bool {
    let begun = Instant::now();
    while !done() {
        if begun.elapsed() > limit {
            assert!(limit < LIMIT, "{what} does not happen");
            return false;
        }
        std::thread::yield_now();
    }
    true
}

impl Bench {
    pub fn new(endpoint: Endpoint, revoke: Revoke, configurable: bool) -> Self {
        Self {
            endpoint,
            revoke,
            configurable,
            memory: Memory::new(),
        }
    }

    /// A client comes, with memory and triggers, and enables the device.
    pub fn begin(&mut self) {
        self.endpoint.attach(Arc::new(Client));
        (0..FRAMES - 1).for_each(|frame| self.map(frame, true));
        self.bus_master(true);
        self.triggers(4, true);
        self.enable();
    }

    pub fn take(&mut self, step: Step) {
        match step {
            Step::Read(at, offset, length) => {
                let _ = self.endpoint.read(at, offset, &mut vec![0; length]);
            }
            Step::Write(at, offset, bytes) => self.write(at, offset, &bytes),
            Step::Command(register) => self.write(0, CMD, &register.to_le_bytes()),
            Step::Submit(queue, page, slot, bytes) => self.submit(queue, page, slot, &bytes[..]),
            Step::Poke(frame, at, bytes) => self.memory.poke(frame, at, &bytes[..]),
            Step::BusMaster(on) => self.bus_master(on),
            Step::FunctionReset => self.function_reset(),
            Step::Reset => self.reset(),
            Step::Detach => self.detach(),
            Step::Enable => {
                self.bus_master(true);
                self.enable();
            }
            Step::Triggers(count, some) => self.triggers(count, some),
            Step::Loopback(vector) => self.set_irqs(irq_set::DATA_NONE, vector, 1, Payload::None),
            Step::DisableIrqs => self.set_irqs(irq_set::DATA_NONE, 0, 0, Payload::None),
            Step::Map(frame, writable) => self.map(frame, writable),
            Step::Unmap(frame) => self.unmap(frame),
            Step::Revoke => {
                self.revoke();
            }
            Step::Wait => std::thread::sleep(Duration::from_micros(200)),
        }
    }

    pub fn revoke(&self) -> u64 {
        (self.revoke)()
    }

    /// Has `begin` take something away, and waits until it is let go.
    fn quiet(begin: impl FnOnce(Hold)) {
        let gone = Arc::<AtomicBool>::default();
        let told = Arc::clone(&gone);
        begin(Hold::new(move || told.store(true, Ordering::Release)));
        until("the end of a hold", LIMIT, || gone.load(Ordering::Acquire));
    }

    fn write(&mut self, at: u32, offset: u64, bytes: &[u8]) {
        let before = self.endpoint.function().config.bus_master();
        match self.endpoint.write(at, offset, bytes) {
            Ok(Written::Stops(stop)) => {
                Self::quiet(|hold| self.endpoint.stop(stop, hold));
                self.memory.block();
                if stop == Stop::Function {
                    assert!(!self.endpoint.function().config.bus_master());
                }
            }
            Ok(Written::Done) if !before && self.endpoint.function().config.bus_master() => {
                self.memory.allow();
            }
            Ok(Written::Done) | Err(_) => {}
        }
    }

    fn write32(&mut self, offset: u64, value: u32) {
        self.write(0, offset, &value.to_le_bytes());
    }

    fn read64(&self, offset: u64) -> u64 {
        let mut bytes = [0; 8];
        self.endpoint.read(0, offset, &mut bytes).unwrap();
        u64::from_le_bytes(bytes)
    }

    fn bus_master(&mut self, on: bool) {
        // What this is about may be written as it is allowed.
        if on && !self.endpoint.function().config.bus_master() {
            self.memory.allow();
        }
        let bits: u16 = if on { 6 } else { 2 };
        self.write(region::CONFIG, COMMAND, &bits.to_le_bytes());
    }

    fn function_reset(&mut self) {
        let read = |at: u8| {
            let mut bytes = [0; 2];
            let config = region::CONFIG;
            self.endpoint.read(config, at.into(), &mut bytes).unwrap();
            bytes
        };
        let mut at = read(0x34)[0];
        while at != 0 {
            let [id, next] = read(at);
            if id == PCIE {
                let control = u64::from(at) + 8;
                return self.write(region::CONFIG, control, &FLR.to_le_bytes());
            }
            at = next;
        }
        panic!("no PCI Express capability");
    }

    pub fn reset(&mut self) {
        Self::quiet(|hold| self.endpoint.reset(hold));
        self.memory.block();
    }

    /// The client goes, and the next one comes.
    pub fn detach(&mut self) {
        Self::quiet(|hold| self.endpoint.detach(hold));
        let blocked = !self.endpoint.function().config.bus_master();
        (0..FRAMES).for_each(|frame| self.memory.unmapped(frame));
        self.memory.blocked = blocked;
        self.endpoint.attach(Arc::new(Client));
    }

    fn map(&mut self, frame: u64, writable: bool) {
        if self.memory.frames[frame as usize] == Frame::Absent {
            let map = self.memory.map(frame, writable);
            self.endpoint.function().dma.map(map).unwrap();
        }
    }

    fn unmap(&mut self, frame: u64) {
        if self.memory.frames[frame as usize] != Frame::Absent {
            let address = BASE + frame * FRAME;
            let dma = &self.endpoint.function().dma;
            Self::quiet(|hold| dma.unmap(address, FRAME, hold).unwrap());
            self.memory.unmapped(frame);
        }
    }

    fn set_irqs(&self, data: u32, start: u32, count: u32, payload: Payload<'_>) {
        let header = SetIrqs {
            argsz: irq_set::HEADER + 4 * count,
            flags: data | irq_set::ACTION_TRIGGER,
            index: irq::MSIX,
            start,
            count,
        };
        drop(self.endpoint.function().irqs.set(header, payload));
    }

    fn triggers(&self, count: u32, some: bool) {
        let fd = || eventfd(0, EventfdFlags::NONBLOCK).unwrap();
        let fds = (0..count).map(|_| some.then(fd)).collect();
        let payload = Payload::Triggers(fds);
        self.set_irqs(irq_set::DATA_EVENTFD, 0, count, payload);
    }

    fn submit(&mut self, queue: u64, page: u64, slot: u64, bytes: &[u8]) {
        let offset = (queue * 4 + page) * 0x1000 + slot * 64;
        for (at, eight) in (offset..).step_by(8).zip(bytes.chunks(8)) {
            self.write(2, at, eight);
        }
    }

    /// A command, waited for no longer than `limit`: its error, if it has ended.
    fn command(&mut self, code: u32, operand: u32, limit: Duration) -> Option<u8> {
        let status = |this: &Self| CommandStatus::from(this.read64(CMDSTATUS) as u32);
        self.write32(CMD, code << 20 | operand);
        let this = &*self;
        until("the end of a command", limit, || !status(this).active())
            .then(|| status(this).error())
    }

    /// Configures the device as far as it can be, and enables it and its queues.
    fn enable(&mut self) -> Option<u8> {
        self.enable_within(Duration::from_millis(5))
    }

    fn enable_within(&mut self, limit: Duration) -> Option<u8> {
        let group = map::GROUP_CONFIG;
        if self.configurable {
            self.write(0, group + tables::GROUP_QUEUES, &3u64.to_le_bytes());
            self.write(0, group + tables::GROUP_ENGINES, &3u64.to_le_bytes());
            for config in [map::QUEUE_CONFIG, map::QUEUE_CONFIG + 64] {
                self.write32(config + queue::SIZE, 8);
                // Dedicated, may block on a fault, priority 1.
                self.write32(config + queue::MODE, 1 | 1 << 1 | 1 << 4);
                self.write32(config + queue::LIMITS, 31 | 10 << 5);
                for at in (0..32).step_by(8) {
                    let operations = self.read64(OPCAP + at);
                    let operations = operations.to_le_bytes();
                    self.write(0, config + queue::OPERATIONS + at, &operations);
                }
            }
        }
        self.command(1, 0, limit).filter(|error| *error == 0)?;
        if self.configurable {
            self.command(6, 1, limit).filter(|error| *error == 0)?;
        }
        self.command(6, 0, limit)
    }

    /// A client that finds a device which was reset, or was somebody else's, can use
    /// it.
    pub fn works(&mut self) {
        self.reset();
        (0..FRAMES).for_each(|frame| self.unmap(frame));
        self.map(1, true);
        self.bus_master(true);
        assert_eq!(self.enable_within(LIMIT), Some(0));
        let flags = Flags::RECORD_VALID | Flags::REQUEST_RECORD;
        let mut descriptor = Descriptor::new(Opcode::NoOp, flags);
        descriptor.completion = (BASE + FRAME).into();
        self.memory.poke(1, 0, &[0; 32]);
        self.submit(0, 0, 0, descriptor.as_bytes());
        until("a completion record", LIMIT, || self.memory.status(1) != 0);
        assert_eq!(self.memory.status(1), Status::Success.code());
        self.memory.check_all();
    }
}
