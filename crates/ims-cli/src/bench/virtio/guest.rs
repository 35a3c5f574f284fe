// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The driver at work: a vector for each queue, queues in turn on all vCPUs.

use super::super::Outcome;
use super::VCPUS;
use super::access::{Access, Wired};
use super::disk::{READ, sector};
use super::exits::{self, Exits};
use ims_virtio::layout::features::RING_EVENT_IDX;
use ims_virtio::machine::{BoardMemory, MSI, PIN, Transport as Carrier};
use ims_virtio_driver::block::{BlockQueue, FEATURES, Request, Segment, bytes};
use ims_virtio_driver::interrupts::{Accept, Interrupts, Mode, Plan, area_bytes};
use ims_virtio_driver::shared::Window;
use ims_virtio_driver::transport::Transport;
use ims_virtio_driver::{Device, Message};
use std::time::{Duration, Instant};

/// Descriptors of a queue.
pub(super) const SIZE: u16 = 16;
/// A page, and a buffer.
const PAGE: u64 = 4096;
/// The first vector of queues; below it is that of configuration.
const FIRST: u8 = 0x30;
/// Configuration's, and the single interrupt's.
const SINGLE: u8 = FIRST - 1;
/// When an interrupt is lost.
const LOST: Duration = Duration::from_secs(20);

type Queue<'a> = BlockQueue<Window<BoardMemory>, Access<'a>, { SIZE as usize }>;

/// A driver that has set everything up.
pub(super) struct Guest<'a, T> {
    pub(super) wired: &'a Wired,
    pub(super) interrupts: Interrupts<Access<'a>, Window<BoardMemory>>,
    device: Device<T>,
    queues: Vec<Queue<'a>>,
    buffers: u64,
    reads: u64,
}

/// What setting up the interrupts took.
#[derive(Debug, Clone, Copy)]
pub(super) struct SetUp {
    pub(super) exits: Exits,
    pub(super) took: Duration,
}

/// Guest memory for so many queues.
pub(super) fn memory(queues: u16) -> u64 {
    area(queues).1 + u64::from(queues) * (ring().1 + PAGE)
}

/// Bytes of a queue's rings, and the same in whole pages.
fn ring() -> (usize, u64) {
    let bytes = bytes(SIZE, 0);
    (bytes, (bytes as u64).next_multiple_of(PAGE))
}

/// The same of the area of VIS.
fn area(queues: u16) -> (usize, u64) {
    let bytes = area_bytes(queues.saturating_add(1), queues);
    (bytes, (bytes as u64).next_multiple_of(PAGE))
}

/// The vCPU and vector of a queue.
pub(super) fn target(queue: u16) -> (u32, u8) {
    let queue = u32::from(queue);
    let [turn, ..] = (queue / VCPUS).to_le_bytes();
    (queue % VCPUS, FIRST.saturating_add(turn))
}

impl<'a, T: Transport<Registers = Access<'a>>> Guest<'a, T> {
    /// From reset to `DRIVER_OK`.
    ///
    /// # Errors
    /// The device does not do what it must.
    pub(super) fn new(wired: &'a Wired, transport: T) -> Outcome<(Self, SetUp)> {
        let board = &wired.board;
        let carrier = board.transport();
        let accept = Accept {
            vis: carrier == Carrier::Vis,
            msi: (carrier == Carrier::Msi).then_some(MSI),
            notification: false,
            msix: carrier == Carrier::Pci,
        };
        let device = Device::begin(transport, FEATURES | RING_EVENT_IDX, accept)?;
        let window = |at, bytes| {
            Window::new(board.memory().clone(), at, bytes).ok_or("guest memory is too small")
        };
        let own = board.machine().own_memory();
        let (area_bytes, area) = area(board.queues());
        let (ring_bytes, ring) = ring();
        let rings = own + area;
        let mut queues = Vec::new();
        for queue in 0..board.queues() {
            let at = rings + u64::from(queue) * ring;
            let memory = window(at, ring_bytes)?;
            queues.push(BlockQueue::new(&device, queue, memory, SIZE, 0)?);
        }
        let mut messages = vec![message(wired, 0, SINGLE)];
        let mut vectors = Vec::new();
        for queue in 0..board.queues() {
            let (cpu, vector) = target(queue);
            board.takes(cpu, vector, queue);
            vectors.push(u32::from(queue) + 1);
            messages.push(message(wired, cpu, vector));
        }
        if carrier == Carrier::Single {
            board.takes_all(SINGLE);
            board.machine().route_pin(0, PIN, 0, SINGLE)?;
        }
        let plan = Plan {
            messages: &messages,
            queues: &vectors,
            config: 0,
        };
        let area = window(own, area_bytes)?;
        let begun = Instant::now();
        let (chosen, exits) = exits::of(wired, || device.interrupts(&plan, Some(area)));
        let took = begun.elapsed();
        let interrupts = chosen?.interrupts;
        let mode = match carrier {
            Carrier::Single => Mode::Single,
            Carrier::Msi => Mode::Msi,
            Carrier::Vis => Mode::Vis,
            Carrier::Pci => Mode::Msix,
        };
        if interrupts.mode() != mode {
            return Err(format!("{} has fallen back", carrier.name()).into());
        }
        device.start()?;
        let guest = Self {
            wired,
            interrupts,
            device,
            queues,
            buffers: rings + u64::from(board.queues()) * ring,
            reads: 0,
        };
        Ok((guest, SetUp { exits, took }))
    }

    /// Submits a read on a queue, and notifies the device by the queue's vCPU.
    ///
    /// # Errors
    /// It does not fit.
    pub(super) fn submit(&mut self, queue: u16) -> Outcome<()> {
        let address = self.buffers + u64::from(queue) * PAGE;
        let request = Request::Read {
            sector: sector(self.reads),
        };
        self.reads += 1;
        let length = READ;
        self.wired.be_on(target(queue).0);
        let queue = self.queues.get_mut(usize::from(queue)).ok_or("no queue")?;
        queue.submit(request, &[Segment { address, length }])?;
        queue.kick();
        self.wired.check()
    }

    /// Takes what has come back on a queue: how many reads, all done well.
    ///
    /// # Errors
    /// The device failed.
    pub(super) fn complete(&mut self, queue: u16) -> Outcome<u64> {
        let queue = self.queues.get_mut(usize::from(queue)).ok_or("no queue")?;
        let mut done = 0;
        while let Some(completion) = queue.complete()? {
            completion.result?;
            done += 1;
        }
        Ok(done)
    }

    /// One read, to the end: told by its interrupt.
    ///
    /// # Errors
    /// The interrupt does not come.
    pub(super) fn read(&mut self, queue: u16) -> Outcome<()> {
        let before = self.taken(queue);
        self.submit(queue)?;
        self.wait_taken(queue, before)?;
        match self.complete(queue)? {
            1 => Ok(()),
            done => Err(format!("{done} reads came back instead of one").into()),
        }
    }

    /// How often handlers have taken what was told of a queue.
    pub(super) fn taken(&self, queue: u16) -> u64 {
        let board = &self.wired.board;
        board.machine().taken(board.source(queue))
    }

    /// Waits until they have once more.
    ///
    /// # Errors
    /// They do not.
    pub(super) fn wait_taken(&self, queue: u16, before: u64) -> Outcome<()> {
        self.wait("an interrupt", || self.taken(queue) > before)
    }

    /// Waits for what must come.
    ///
    /// # Errors
    /// It does not.
    pub(super) fn wait(&self, what: &str, mut come: impl FnMut() -> bool) -> Outcome<()> {
        let until = Instant::now() + LOST;
        while !come() {
            if Instant::now() > until {
                let stopped: Vec<_> = (0..VCPUS)
                    .map(|cpu| self.wired.board.machine().stopped(cpu))
                    .collect();
                return Err(format!("{what} did not come; vCPUs stopped: {stopped:?}").into());
            }
            std::thread::yield_now();
        }
        Ok(())
    }

    /// How often each vCPU's handlers ran.
    pub(super) fn handled(&self) -> Vec<u64> {
        let machine = self.wired.board.machine();
        let of = |cpu| {
            (SINGLE..=u8::MAX)
                .map(|vector| machine.interrupts(cpu, vector))
                .sum()
        };
        (0..VCPUS).map(of).collect()
    }

    /// Waits until all that was told is taken, and handlers are done: how many were
    /// told and not taken.
    ///
    /// # Errors
    /// A handler does not end.
    pub(super) fn settle(&self) -> Outcome<u64> {
        let board = &self.wired.board;
        let machine = board.machine();
        self.wait("the end of a handler", || {
            !(0..VCPUS).any(|cpu| (SINGLE..=u8::MAX).any(|vector| machine.in_handler(cpu, vector)))
        })?;
        Ok((0..board.queues())
            .map(|queue| board.posted(queue).abs_diff(self.taken(queue)))
            .sum())
    }

    /// A message to a vCPU.
    pub(super) fn message(&self, cpu: u32, vector: u8) -> Message {
        message(self.wired, cpu, vector)
    }

    /// Resets the device.
    ///
    /// # Errors
    /// It does not end its reset.
    pub(super) fn end(self) -> Outcome<()> {
        self.wired.be_on(0);
        self.device.reset()?;
        self.wired.check()
    }
}

fn message(wired: &Wired, cpu: u32, vector: u8) -> Message {
    let message = wired.board.machine().message(cpu, vector);
    Message {
        address: message.address,
        data: message.data,
    }
}
