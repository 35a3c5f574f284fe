// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A device of two vectors whose gates are a model's words, a driver's three ways with
//! a gate, and a receiver that knows what was announced.

use std::sync::Arc;

use ims::message::{Message, RequesterId};
use ims::sink::{Acceptance, Answer, MessageSink};
use loom::sync::atomic::Ordering::{self, AcqRel, Acquire, Relaxed, Release, SeqCst};
use loom::sync::atomic::{AtomicU32, fence};

use crate::layout::vis::{MASK, PENDING};
use crate::vis::gate::{Looked, Word};
use crate::vis::gates::Gates;
use crate::vis::sender::Sender;

impl Word for AtomicU32 {
    fn load(&self, order: Ordering) -> u32 {
        AtomicU32::load(self, order)
    }

    fn exchange(&self, now: u32, new: u32, ok: Ordering, not: Ordering) -> Result<(), u32> {
        self.compare_exchange(now, new, ok, not).map(drop)
    }
}

/// The gates of two vectors.
#[derive(Debug)]
pub(super) struct Words([AtomicU32; 2]);

impl Gates for Words {
    type Word = AtomicU32;

    fn with<T>(&self, vector: u32, look: impl FnOnce(&AtomicU32) -> Looked<T>) -> Option<T> {
        self.0.get(vector as usize).map(|word| look(word).what)
    }
}

/// Takes messages of vectors, unless it is busy.
#[derive(Debug)]
pub(super) struct Receiver {
    /// Interrupts of each vector that wait for a handler.
    announced: [AtomicU32; 2],
    busy: AtomicU32,
    /// Set when no message with [`OLD`] in it may come any more.
    closed: AtomicU32,
}

/// In the data of a message that a command replaces.
pub(super) const OLD: u32 = 0x100;

/// A vector's message; address and data say the same.
pub(super) fn message(data: u32) -> Message {
    Message {
        address: 0xfee0_0000 | u64::from(data) << 12,
        data,
    }
}

impl MessageSink for Receiver {
    fn send(&self, _: RequesterId, sent: Message) -> Answer {
        assert_eq!(sent, message(sent.data), "torn");
        if self.busy.load(Relaxed) != 0 {
            return Answer::Busy;
        }
        if sent.data & OLD != 0 {
            assert_eq!(self.closed.load(Relaxed), 0, "sent after the command");
        }
        // Release: an interrupt is seen after what its sender has seen and written.
        self.announced[(sent.data & 1) as usize].fetch_add(1, Release);
        Answer::Accepted(Acceptance::Fresh)
    }

    fn ready(&self, _: RequesterId, _: Message) -> bool {
        self.busy.load(Relaxed) == 0
    }
}

impl Receiver {
    /// A handler runs: how many interrupts there were.
    pub(super) fn taken(&self, vector: u32) -> u32 {
        self.announced[vector as usize].swap(0, Acquire)
    }

    /// From here on a message with [`OLD`] is a fault.
    pub(super) fn close(&self) {
        self.closed.store(1, Relaxed);
    }

    /// Whether that is known to have happened: no more is known by it.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Relaxed) != 0
    }

    /// Ready, as [`MessageSink`] asks: before anything is retried.
    pub(super) fn be_ready(&self) {
        self.busy.store(0, Relaxed);
        fence(SeqCst);
    }
}

/// Device, driver, and what the device has written for the driver to read.
#[derive(Debug)]
pub(super) struct Bench {
    pub(super) sender: Sender<Words, Arc<Receiver>>,
    pub(super) receiver: Arc<Receiver>,
    data: AtomicU32,
}

impl Bench {
    /// Not enabled; the gate of vector 0 as given, of vector 1 open.
    pub(super) fn disabled(gate: u32, busy: bool) -> Arc<Self> {
        let receiver = Arc::new(Receiver {
            announced: [AtomicU32::new(0), AtomicU32::new(0)],
            busy: AtomicU32::new(busy.into()),
            closed: AtomicU32::new(0),
        });
        let gates = Words([AtomicU32::new(gate), AtomicU32::new(0)]);
        let sink = Arc::clone(&receiver);
        Arc::new(Self {
            sender: Sender::new(2, 1, RequesterId(0), gates, sink),
            receiver,
            data: AtomicU32::new(0),
        })
    }

    /// Enabled with these messages. The gate's state is not looked at by the enabling.
    pub(super) fn with(gate: u32, messages: [Message; 2]) -> Arc<Self> {
        let bench = Self::disabled(MASK, false);
        bench.sender.open(&messages);
        bench.gate().store(gate, Relaxed);
        bench
    }

    /// Enabled, with the messages of both vectors.
    pub(super) fn enabled(gate: u32) -> Arc<Self> {
        Self::with(gate, [message(0), message(1)])
    }

    pub(super) fn gate(&self) -> &AtomicU32 {
        &self.sender.gates.0[0]
    }

    pub(super) fn gate_now(&self) -> u32 {
        self.gate().load(Relaxed)
    }

    /// The device has something for the driver.
    pub(super) fn raise(&self, amount: u32) {
        self.data.fetch_add(amount, Relaxed);
        self.sender.raise(0);
    }

    /// What a handler finds.
    pub(super) fn data(&self) -> u32 {
        self.data.load(Relaxed)
    }

    /// The driver masks.
    pub(super) fn mask(&self) {
        self.gate().fetch_or(MASK, AcqRel);
    }

    /// The driver unmasks, and has the device send what was kept.
    pub(super) fn unmask(&self) {
        if self.gate().fetch_and(!MASK, AcqRel) & PENDING != 0 {
            self.sender.take(0);
        }
    }

    /// The driver takes what was kept; says whether there was anything.
    pub(super) fn take(&self) -> bool {
        self.gate().fetch_and(!PENDING, AcqRel) & PENDING != 0
    }

    /// The driver unmasks and takes what was kept in one step.
    pub(super) fn unmask_and_take(&self) -> bool {
        self.gate().fetch_and(!(MASK | PENDING), AcqRel) & PENDING != 0
    }
}
