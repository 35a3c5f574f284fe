// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A driver whose register accesses guest code makes, on a block device of a file.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ims::domain::Kind;
use ims::message::RequesterId;
use ims::store::CookieUse;
use ims::store::table::Table;
use ims_host::{Form, Host};
use ims_kvm::machine::MachineError;
use ims_virtio::BackingInterrupts;
use ims_virtio::block::{Block, BlockOptions, Disk};
use ims_virtio::layout::features::RING_EVENT_IDX;
use ims_virtio::machine::{Board, BoardError, BoardMemory, MSI, Options, PIN, Transport};
use ims_virtio_driver::block::{BlockQueue, FEATURES, Request, Segment, bytes};
use ims_virtio_driver::interrupts::{Accept, Interrupts, Mode, Plan, area_bytes};
use ims_virtio_driver::shared::Window;
use ims_virtio_driver::transport::{Mmio, Pci, Transport as Carrier};
use ims_virtio_driver::{Device, Message, Registers};
use vm_memory::{Bytes, GuestAddress};

pub const VCPUS: u32 = 4;
/// The first vector of queues; the single interrupt's is below.
pub const FIRST: u8 = 0x30;
pub const SINGLE: u8 = FIRST - 1;
pub const QUEUES: u16 = 8;
/// Bytes of a read.
pub const READ: u32 = 4096;
const SIZE: u16 = 16;
/// Reads that the file has room for.
const BLOCKS: u64 = 64;

/// A file of blocks, each with bytes of its own; gone when this is dropped.
struct Temporary(PathBuf);

impl Temporary {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("ims-virtio-kvm-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let data: Vec<u8> = (0..BLOCKS).flat_map(content).collect();
        fs::write(&path, data).unwrap();
        Self(path)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// What a block of the file holds.
fn content(block: u64) -> Vec<u8> {
    let bytes = (0..u64::from(READ)).map(|at| (at * 7 + block * 31 + at / 251) as u8);
    bytes.collect()
}

/// A board with everything under it.
pub struct Rig {
    pub board: Board,
    cpu: AtomicU32,
    _file: Temporary,
    _host: Host,
    _device: ims_host::Device,
}

impl Rig {
    /// `None`, and said so, where there is no KVM.
    pub fn new(test: &str, transport: Transport) -> Option<Self> {
        let host = Host::new();
        let unit = host.add_unit(64, 8).unwrap();
        let space = host.add_space(2, Form::Apic).unwrap();
        let device = host.add_device(RequesterId(0x0100));
        let table = Table::new(64, CookieUse::Opaque);
        let domain = device.add_domain(Kind::Ims, 0, &unit, table).unwrap();
        let file = Temporary::new();
        let options = BlockOptions {
            queues: QUEUES,
            queue_size: SIZE,
            read_only: true,
            ..BlockOptions::default()
        };
        let interrupts = BackingInterrupts::new(&host, domain, space, None);
        let disk = Disk::open(&file.0, true).unwrap();
        let block = Arc::new(Block::new(disk, interrupts, &options).unwrap());
        let options = Options {
            transport,
            vcpus: VCPUS,
            memory: 4 << 20,
        };
        let board = match Board::start(options, block) {
            Ok(board) => board,
            Err(BoardError::Machine(
                error @ (MachineError::NoKvm(_)
                | MachineError::Lacks { .. }
                | MachineError::Vcpus { .. }),
            )) => {
                eprintln!("SKIPPED {test}: {error}");
                return None;
            }
            Err(error) => panic!("{error}"),
        };
        Some(Self {
            board,
            cpu: AtomicU32::new(0),
            _file: file,
            _host: host,
            _device: device,
        })
    }

    /// Accesses of the guest that reached the VMM.
    pub fn accesses(&self) -> u64 {
        let exits = (0..VCPUS).map(|cpu| self.board.machine().exits(cpu));
        exits.map(|exits| exits.reads + exits.writes).sum()
    }

    /// The same as KVM counts them, if it does.
    pub fn counted_by_kvm(&self) -> Option<u64> {
        let machine = self.board.machine();
        let of = |cpu| machine.statistics(cpu)?.get("mmio_exits");
        (0..VCPUS).map(of).sum()
    }

    pub fn message(&self, (cpu, vector): (u32, u8)) -> Message {
        let message = self.board.machine().message(cpu, vector);
        Message {
            address: message.address,
            data: message.data,
        }
    }

    pub fn drive(&self) -> Guest<'_> {
        match self.board.transport() {
            Transport::Pci => Guest::new(self, Pci::find(Access(self)).unwrap()),
            _ => Guest::new(self, Mmio::find(Access(self)).unwrap()),
        }
    }
}

/// The vCPU and vector of a queue.
pub fn target(queue: u16) -> (u32, u8) {
    (u32::from(queue) % VCPUS, FIRST + queue as u8)
}

#[derive(Clone, Copy)]
pub struct Access<'a>(&'a Rig);

impl Access<'_> {
    fn cpu(self) -> u32 {
        self.0.cpu.load(Ordering::Relaxed)
    }
}

impl Registers for Access<'_> {
    fn read(&self, bar: u8, offset: u64, bytes: u8) -> u64 {
        let address = self.0.board.bar(bar, offset).unwrap();
        let machine = self.0.board.machine();
        machine.guest_read(self.cpu(), address, bytes).unwrap()
    }

    fn write(&self, bar: u8, offset: u64, value: u64, bytes: u8) {
        let address = self.0.board.bar(bar, offset).unwrap();
        let machine = self.0.board.machine();
        machine
            .guest_write(self.cpu(), address, value, bytes)
            .unwrap();
    }

    fn read_config(&self, offset: u16) -> u32 {
        let address = self.0.board.configuration(offset);
        let machine = self.0.board.machine();
        machine.guest_read(self.cpu(), address, 4).unwrap() as u32
    }

    fn write_config(&self, offset: u16, value: u32) {
        let address = self.0.board.configuration(offset);
        let machine = self.0.board.machine();
        machine
            .guest_write(self.cpu(), address, value.into(), 4)
            .unwrap();
    }
}

type Memory = Window<BoardMemory>;

pub struct Guest<'a> {
    pub rig: &'a Rig,
    pub interrupts: Interrupts<Access<'a>, Memory>,
    /// Accesses that setting the interrupts up took.
    pub set_up: u64,
    queues: Vec<BlockQueue<Memory, Access<'a>, { SIZE as usize }>>,
    buffers: u64,
    /// The block that each queue reads now.
    reading: Vec<u64>,
    reads: u64,
}

impl<'a> Guest<'a> {
    fn new<T: Carrier<Registers = Access<'a>>>(rig: &'a Rig, transport: T) -> Self {
        let board = &rig.board;
        let accept = Accept {
            vis: true,
            msi: Some(MSI),
            notification: true,
            msix: true,
        };
        let device = Device::begin(transport, FEATURES | RING_EVENT_IDX, accept).unwrap();
        let mut free = board.machine().own_memory();
        let mut window = |bytes: usize| {
            let at = free;
            free += (bytes as u64).next_multiple_of(4096);
            Window::new(board.memory().clone(), at, bytes).unwrap()
        };
        let area = window(area_bytes(QUEUES + 1, QUEUES));
        let queues = (0..QUEUES)
            .map(|queue| BlockQueue::new(&device, queue, window(bytes(SIZE, 0)), SIZE, 0).unwrap())
            .collect();
        let mut messages = vec![rig.message((0, SINGLE))];
        for queue in 0..QUEUES {
            let (cpu, vector) = target(queue);
            board.takes(cpu, vector, queue);
            messages.push(rig.message((cpu, vector)));
        }
        if board.transport() == Transport::Single {
            board.takes_all(SINGLE);
            board.machine().route_pin(0, PIN, 0, SINGLE).unwrap();
        }
        let vectors: Vec<u32> = (1..=u32::from(QUEUES)).collect();
        let plan = Plan {
            messages: &messages,
            queues: &vectors,
            config: 0,
        };
        let before = rig.accesses();
        let chosen = device.interrupts(&plan, Some(area)).unwrap();
        let set_up = rig.accesses() - before;
        let wanted = match board.transport() {
            Transport::Single => Mode::Single,
            Transport::Msi => Mode::Msi,
            Transport::Vis => Mode::Vis,
            Transport::Pci => Mode::Msix,
        };
        assert_eq!(chosen.interrupts.mode(), wanted);
        device.start().unwrap();
        Self {
            rig,
            interrupts: chosen.interrupts,
            set_up,
            queues,
            buffers: free,
            reading: vec![0; QUEUES.into()],
            reads: 0,
        }
    }

    /// Submits a read of the next block, by the queue's vCPU.
    pub fn submit(&mut self, queue: u16) {
        self.rig.cpu.store(target(queue).0, Ordering::Relaxed);
        let address = self.buffers + u64::from(queue) * u64::from(READ);
        self.rig
            .board
            .memory()
            .write_slice(&[0; READ as usize], GuestAddress(address))
            .unwrap();
        let block = self.reads % BLOCKS;
        self.reads += 1;
        self.reading[usize::from(queue)] = block;
        let request = Request::Read {
            sector: block * u64::from(READ / 512),
        };
        let length = READ;
        let queue = &mut self.queues[usize::from(queue)];
        queue
            .submit(request, &[Segment { address, length }])
            .unwrap();
        queue.kick();
    }

    /// Whether the read has come back; what it read must be what is in the file.
    pub fn complete(&mut self, queue: u16) -> bool {
        let mut done = 0;
        while let Some(completion) = self.queues[usize::from(queue)].complete().unwrap() {
            completion.result.unwrap();
            done += 1;
        }
        assert!(done <= 1);
        if done == 1 {
            let address = self.buffers + u64::from(queue) * u64::from(READ);
            let mut data = vec![0; READ as usize];
            self.rig
                .board
                .memory()
                .read_slice(&mut data, GuestAddress(address))
                .unwrap();
            assert!(data == content(self.reading[usize::from(queue)]), "{queue}");
        }
        done == 1
    }

    /// Waits for a read that was submitted when `before` had been taken: looks only
    /// after interrupts.
    pub fn finish(&mut self, queue: u16, mut before: u64) {
        loop {
            wait("an interrupt", || self.taken(queue) > before);
            before = self.taken(queue);
            if self.complete(queue) {
                return;
            }
        }
    }

    /// One read.
    pub fn read(&mut self, queue: u16) {
        let before = self.taken(queue);
        self.submit(queue);
        self.finish(queue, before);
    }

    pub fn taken(&self, queue: u16) -> u64 {
        let board = &self.rig.board;
        board.machine().taken(board.source(queue))
    }

    pub fn told(&self, queue: u16) -> u64 {
        self.rig.board.posted(queue)
    }

    /// Waits until no handler runs, and then nothing may be lost.
    pub fn settled(&self) {
        let machine = self.rig.board.machine();
        wait("the end of all handlers", || {
            !(0..VCPUS).any(|cpu| (SINGLE..=u8::MAX).any(|vector| machine.in_handler(cpu, vector)))
        });
        for queue in 0..QUEUES {
            assert_eq!(self.told(queue), self.taken(queue), "queue {queue}");
        }
    }

    /// Handlers that ran on a vCPU.
    pub fn handled(&self, cpu: u32) -> u64 {
        let machine = self.rig.board.machine();
        let of = |vector| machine.interrupts(cpu, vector);
        (SINGLE..=u8::MAX).map(of).sum()
    }
}

/// Waits for what must come, and gives up only long after.
pub fn wait(what: &str, mut come: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !come() {
        assert!(Instant::now() < until, "{what}");
        thread::yield_now();
    }
}
