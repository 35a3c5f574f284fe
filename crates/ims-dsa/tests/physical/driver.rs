// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a driver does with the function.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ims_dsa::front::{Parameters, map};
use ims_dsa::layout::command::{Command, CommandStatus};
use ims_dsa::layout::registers::{self, DeviceState};
use ims_dsa::layout::tables::{self, queue};
use ims_dsa::layout::{Completion, Descriptor, Flags, Opcode};
use ims_dsa::physical::{PhysicalConfig, PhysicalFunction, VectorKind, VectorReport};
use ims_vfio::layout::region;
use ims_vfio::{Endpoint, Hold, Written};
use zerocopy::IntoBytes;
use zerocopy::little_endian::{U16, U32, U64};

use crate::client::{Client, Eventfds};
use crate::memory::Ram;

/// Where the client's memory is.
pub const BASE: u64 = 0x10_0000;
/// Where it is not.
pub const HOLE: u64 = 0x40_0000;

/// Waits for something that happens on other threads, and fails if it does not.
pub fn until(what: &str, mut happens: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !happens() {
        assert!(begin.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::yield_now();
    }
}

pub struct Rig {
    pub function: Arc<PhysicalFunction>,
    pub endpoint: Endpoint,
    pub client: Arc<Client>,
    pub ram: Arc<Ram>,
    pub eventfds: Eventfds,
}

impl Rig {
    pub fn new() -> Self {
        Self::with(Parameters::default(), Ram::new(64))
    }

    /// A function with a client, its memory at [`BASE`], bus mastering on.
    pub fn with(parameters: Parameters, ram: Arc<Ram>) -> Self {
        let vectors = parameters.vectors;
        let config = PhysicalConfig {
            parameters,
            ..PhysicalConfig::default()
        };
        let function = PhysicalFunction::new(config).unwrap();
        let endpoint = Endpoint::new(function.clone());
        let client = Arc::<Client>::default();
        endpoint.attach(client.clone());
        endpoint.function().dma.map(ram.map(BASE)).unwrap();
        let eventfds = Eventfds::give(&endpoint, vectors);
        let rig = Self {
            function,
            endpoint,
            client,
            ram,
            eventfds,
        };
        rig.bus_master(true);
        rig
    }

    pub fn write_config(&self, offset: u64, value: u16, hold: Hold) {
        let bytes = value.to_le_bytes();
        match self.endpoint.write(region::CONFIG, offset, &bytes).unwrap() {
            Written::Stops(stop) => self.endpoint.stop(stop, hold),
            Written::Done => drop(hold),
        }
    }

    pub fn bus_master(&self, on: bool) {
        let value = if on { 0b110 } else { 0b010 };
        self.write_config(4, value, Hold::nobody());
    }

    pub fn write(&self, bar: u32, offset: u64, bytes: &[u8]) {
        let written = self.endpoint.write(bar, offset, bytes).unwrap();
        assert_eq!(written, Written::Done);
    }

    pub fn write32(&self, offset: u64, value: u32) {
        self.write(0, offset, &value.to_le_bytes());
    }

    pub fn write64(&self, offset: u64, value: u64) {
        self.write(0, offset, &value.to_le_bytes());
    }

    pub fn read32(&self, offset: u64) -> u32 {
        let mut bytes = [0; 4];
        self.endpoint.read(0, offset, &mut bytes).unwrap();
        u32::from_le_bytes(bytes)
    }

    pub fn read64(&self, offset: u64) -> u64 {
        let mut bytes = [0; 8];
        self.endpoint.read(0, offset, &mut bytes).unwrap();
        u64::from_le_bytes(bytes)
    }

    /// A command to its end.
    pub fn command(&self, command: Command, operand: u32) -> CommandStatus {
        self.begin(command, operand);
        until("a command ends", || !self.status().active());
        self.status()
    }

    pub fn begin(&self, command: Command, operand: u32) {
        self.write32(registers::CMD, (command as u32) << 20 | operand);
    }

    pub fn status(&self) -> CommandStatus {
        self.read32(registers::CMDSTATUS).into()
    }

    /// A command that must succeed; its result.
    pub fn done(&self, command: Command, operand: u32) -> u16 {
        let status = self.command(command, operand);
        assert_eq!(status.error(), 0, "{command:?}");
        status.result()
    }

    pub fn state(&self) -> u32 {
        self.read32(registers::GENSTS) & 0b11
    }

    /// Queues 0 to `queues` - 1, dedicated, and `engines` engines in one group;
    /// enabled. `mode` goes into their mode word besides.
    pub fn enable(&self, queues: u32, engines: u32, mode: u32) {
        let group = map::GROUP_CONFIG;
        self.write64(group + tables::GROUP_QUEUES, (1 << queues) - 1);
        self.write64(group + tables::GROUP_ENGINES, (1 << engines) - 1);
        for number in 0..queues {
            let config = map::QUEUE_CONFIG + u64::from(number) * 64;
            self.write32(config + queue::SIZE, 16);
            self.write32(config + queue::MODE, 1 | 1 << 4 | mode);
            // 2 GiB a transfer, 1024 descriptors a batch.
            self.write32(config + queue::LIMITS, 31 | 10 << 5);
            for at in (0..32).step_by(8) {
                let operations = self.read64(registers::OPCAP + at);
                self.write64(config + queue::OPERATIONS + at, operations);
            }
        }
        self.done(Command::EnableDevice, 0);
        for number in 0..queues {
            self.done(Command::EnableQueue, number);
        }
        assert_eq!(self.state(), DeviceState::Enabled as u32);
    }

    /// Stores a descriptor as eight stores of 8 bytes.
    pub fn submit(&self, queue: u64, page: u64, slot: u64, descriptor: &Descriptor) {
        let offset = (queue * 4 + page) * 4096 + slot % 64 * 64;
        for (at, eight) in (offset..).step_by(8).zip(descriptor.as_bytes().chunks(8)) {
            self.write(2, at, eight);
        }
    }

    /// The record at `address`, once it is there.
    pub fn record(&self, address: u64) -> Completion {
        until("a completion record", || self.peek(address).status != 0);
        self.peek(address)
    }

    pub fn peek(&self, address: u64) -> Completion {
        let bytes = self.ram.get(address - BASE, 32);
        Completion::from_bytes(&bytes.try_into().unwrap())
    }

    /// Programs an entry of the store, open to those without a PASID.
    pub fn program(&self, index: u64, message: (u64, u32)) {
        self.program_control(index, message, 0);
    }

    pub fn program_control(&self, index: u64, (address, data): (u64, u32), control: u32) {
        let entry = map::IMS + index * 16;
        self.write32(entry + 12, 1);
        self.write32(entry, address as u32);
        self.write32(entry + 4, (address >> 32) as u32);
        self.write32(entry + 8, data);
        self.write32(entry + 12, control);
        assert_eq!(self.read32(entry + 12), control);
    }

    /// The handle of an entry of the store.
    pub fn ims_handle(&self, index: u32) -> u16 {
        self.done(Command::RequestHandle, 1 << 16 | index)
    }

    pub fn msix_handle(&self, vector: u32) -> u16 {
        self.done(Command::RequestHandle, vector)
    }

    pub fn vector(&self, kind: VectorKind, index: u16) -> VectorReport {
        let vectors = self.function.report().vectors;
        let mut these = vectors.into_iter();
        let is = |one: &VectorReport| (one.kind, one.index) == (kind, index);
        these.find(is).expect("the interrupt was used")
    }
}

/// A descriptor with a record at `record`.
pub fn recorded(opcode: Opcode, record: u64) -> Descriptor {
    let flags = Flags::RECORD_VALID | Flags::REQUEST_RECORD;
    Descriptor {
        completion: U64::new(record),
        ..Descriptor::new(opcode, flags)
    }
}

pub fn memory_move(record: u64, source: u64, destination: u64, size: u32) -> Descriptor {
    Descriptor {
        source: U64::new(source),
        destination: U64::new(destination),
        size: U32::new(size),
        ..recorded(Opcode::MemoryMove, record)
    }
}

/// The same, asking for an interrupt.
pub fn interrupting(descriptor: Descriptor, handle: u16) -> Descriptor {
    flagged(
        Descriptor {
            handle: U16::new(handle),
            ..descriptor
        },
        Flags::REQUEST_INTERRUPT,
    )
}

pub fn flagged(descriptor: Descriptor, flags: Flags) -> Descriptor {
    Descriptor {
        command: U32::new(descriptor.command.get() | flags.bits()),
        ..descriptor
    }
}

/// A hold, and whether its last clone was dropped.
pub fn hold() -> (Hold, Arc<AtomicBool>) {
    let gone = Arc::<AtomicBool>::default();
    let told = gone.clone();
    (Hold::new(move || told.store(true, Ordering::SeqCst)), gone)
}
