// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A driver's half of interrupt storage, in memory of the test's own, and a sink that
//! writes messages down.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use ims::message::{Message, RequesterId};
use ims::sink::{Acceptance, Answer, MessageSink, Refusal};
use vm_memory::{Bytes, GuestAddress, GuestMemoryMmap};

use crate::layout::vis::{
    Command, Error, MASK, PENDING, header, message as layout, register, state,
};
use crate::memory::Memory;
use crate::vis::{Offer, Vis, VisPort};

pub(super) type Ram = Arc<GuestMemoryMmap<()>>;
pub(super) type Store<M = Ram> = Vis<M, Arc<Recorder>>;
pub(super) type Port<M = Ram> = VisPort<M, Arc<Recorder>>;

pub(super) const REQUESTER: RequesterId = RequesterId(0x1a8);
/// Where the area is.
pub(super) const AREA: u64 = 0x2000;
/// No vector was sent.
pub(super) const NONE: [u32; 0] = [];
/// Bytes of memory.
pub(super) const BYTES: u64 = 0x10000;
/// What a device here offers.
pub(super) const VECTORS: u32 = 8;
pub(super) const QUEUES: u16 = 4;

/// Takes messages, unless it is told not to.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    sent: Mutex<Vec<Message>>,
    pub(super) busy: AtomicBool,
    pub(super) refuses: AtomicBool,
}

impl MessageSink for Recorder {
    fn send(&self, requester: RequesterId, message: Message) -> Answer {
        assert_eq!(requester, REQUESTER);
        if self.busy.load(Ordering::SeqCst) {
            return Answer::Busy;
        }
        if self.refuses.load(Ordering::SeqCst) {
            return Answer::Refused(Refusal::Malformed);
        }
        self.sent.lock().unwrap().push(message);
        Answer::Accepted(Acceptance::Fresh)
    }

    fn ready(&self, _requester: RequesterId, _message: Message) -> bool {
        !self.busy.load(Ordering::SeqCst)
    }
}

impl Recorder {
    /// What was sent since the last time.
    pub(super) fn taken(&self) -> Vec<Message> {
        std::mem::take(&mut self.sent.lock().unwrap())
    }
}

/// The message that a vector is given.
pub(super) fn message(vector: u32) -> Message {
    Message {
        address: 0xfee0_0000 | u64::from(vector) << 12,
        data: 0x4000 | vector,
    }
}

/// How an area is laid out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) vectors: u32,
    pub(super) queues: u32,
    pub(super) config: u32,
    pub(super) shift: u32,
    pub(super) messages: u32,
    pub(super) map: u32,
    pub(super) gates: u32,
    pub(super) length: u32,
}

impl Default for Shape {
    /// Header, map, messages, gates on lines of their own; queue `n` has vector `n`,
    /// the configuration the last.
    fn default() -> Self {
        Self {
            vectors: VECTORS,
            queues: QUEUES.into(),
            config: VECTORS - 1,
            shift: 6,
            map: 0x80,
            messages: 0x100,
            gates: 0x200,
            length: 0x200 + VECTORS * 64,
        }
    }
}

/// A device's store, its driver, and where messages go.
pub(super) struct Pair<M: Memory = Ram> {
    pub(super) vis: Store<M>,
    pub(super) port: Port<M>,
    pub(super) ram: Ram,
    pub(super) sink: Arc<Recorder>,
    pub(super) shape: Shape,
    pub(super) asked: u32,
}

pub(super) fn ram() -> Ram {
    Arc::new(GuestMemoryMmap::from_ranges(&[(GuestAddress(0), BYTES as usize)]).unwrap())
}

impl Pair {
    /// In reset state, its area written.
    pub(super) fn new() -> Self {
        let ram = ram();
        Self::on(Arc::clone(&ram), ram)
    }

    /// Enabled, all vectors unmasked.
    pub(super) fn running() -> Self {
        let mut pair = Self::new();
        pair.enable();
        pair
    }
}

impl<M: Memory> Pair<M> {
    /// A device that reaches `ram` by `memory`.
    pub(super) fn on(memory: M, ram: Ram) -> Self {
        let sink = Arc::<Recorder>::default();
        let offer = Offer { vectors: VECTORS };
        let vis = Vis::new(offer, QUEUES, REQUESTER, memory, Arc::clone(&sink)).unwrap();
        let mut pair = Self {
            port: vis.port(),
            vis,
            ram,
            sink,
            shape: Shape::default(),
            asked: 0,
        };
        pair.lay_out(Shape::default());
        pair
    }

    /// Writes the area.
    pub(super) fn lay_out(&mut self, shape: Shape) {
        self.shape = shape;
        for (field, value) in [
            (header::VECTORS, shape.vectors),
            (header::QUEUES, shape.queues),
            (header::CONFIG_VECTOR, shape.config),
            (header::GATE_SHIFT, shape.shift),
            (header::MESSAGES, shape.messages),
            (header::MAP, shape.map),
            (header::GATES, shape.gates),
            (header::LENGTH, shape.length),
        ] {
            self.set(field, value);
        }
        for vector in 0..shape.vectors.min(VECTORS) {
            self.program(vector, message(vector));
        }
        for queue in 0..shape.queues.min(QUEUES.into()) {
            self.set_map(queue, queue);
        }
    }

    /// Writes a field of the area.
    pub(super) fn set(&self, offset: u64, value: u32) {
        let at = GuestAddress(AREA.wrapping_add(offset));
        self.ram
            .store(value.to_le(), at, Ordering::Release)
            .unwrap();
    }

    /// Reads one.
    pub(super) fn get(&self, offset: u64) -> u32 {
        let at = GuestAddress(AREA.wrapping_add(offset));
        u32::from_le(self.ram.load(at, Ordering::Acquire).unwrap())
    }

    pub(super) fn program(&self, vector: u32, message: Message) {
        let at = u64::from(self.shape.messages) + u64::from(vector) * 16;
        self.set(at + layout::ADDRESS, message.address as u32);
        self.set(at + layout::ADDRESS + 4, (message.address >> 32) as u32);
        self.set(at + layout::DATA, message.data);
        self.set(at + layout::RESERVED, 0);
    }

    pub(super) fn set_map(&self, queue: u32, vector: u32) {
        self.set(u64::from(self.shape.map) + u64::from(queue) * 4, vector);
    }

    fn gate_at(&self, vector: u32) -> u64 {
        u64::from(self.shape.gates) + (u64::from(vector) << self.shape.shift)
    }

    pub(super) fn gate(&self, vector: u32) -> u32 {
        self.get(self.gate_at(vector))
    }

    /// Sets a gate; nobody else is at it.
    pub(super) fn set_gate(&self, vector: u32, value: u32) {
        self.set(self.gate_at(vector), value);
    }

    pub(super) fn mask(&self, vector: u32) {
        self.set_gate(vector, self.gate(vector) | MASK);
    }

    /// Unmasks; says whether an interrupt was kept, for which [`Pair::resend`] is due.
    pub(super) fn unmask(&self, vector: u32) -> bool {
        let before = self.gate(vector);
        self.set_gate(vector, before & !MASK);
        before & PENDING != 0
    }

    pub(super) fn resend(&mut self, vector: u32) {
        assert!(
            self.vis
                .write(register::COMMAND, Command::Resend.with(vector))
        );
    }

    /// Writes a command and waits for its answer in the header.
    pub(super) fn command(&mut self, command: Command, argument: u32) -> Error {
        self.asked += 1;
        self.set(header::ASK, self.asked);
        assert!(self.vis.write(register::COMMAND, command.with(argument)));
        assert_eq!(self.get(header::DONE), self.asked, "not answered");
        let error = error(self.get(header::ERROR));
        assert_eq!(self.state_error(), error, "state and header");
        error
    }

    /// Says where the area is, and enables it; what the state register says.
    pub(super) fn try_enable(&mut self, area: u64) -> Error {
        self.vis.write(register::ADDRESS_LOW, area as u32);
        self.vis.write(register::ADDRESS_HIGH, (area >> 32) as u32);
        self.asked += 1;
        self.set(header::ASK, self.asked);
        self.vis.write(register::COMMAND, Command::Enable.with(0));
        self.state_error()
    }

    pub(super) fn enable(&mut self) {
        assert_eq!(self.try_enable(AREA), Error::None);
        assert_eq!(self.get(header::DONE), self.asked);
        assert_eq!(self.get(header::ERROR), 0);
        assert!(self.vis.enabled() && self.port.enabled());
    }

    pub(super) fn state(&self) -> u32 {
        self.vis.read(register::STATE).unwrap()
    }

    pub(super) fn state_error(&self) -> Error {
        error(self.state() >> state::ERROR_SHIFT)
    }

    /// The vectors whose own messages were sent since the last time.
    pub(super) fn sent(&self) -> Vec<u32> {
        let vector = |sent: Message| {
            let vector = sent.data & 0xff;
            assert_eq!(sent, message(vector), "not a message of the area");
            vector
        };
        self.sink.taken().into_iter().map(vector).collect()
    }
}

fn error(number: u32) -> Error {
    Error::from_value(number).unwrap()
}
