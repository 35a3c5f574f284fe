// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The data half, wherever its gates are: what a raise does, and what it takes to
//! change what raises use.
//!
//! ```text
//!   raise ─▶ enter a crowd ─▶ enabled? ─▶ slot: a message? ─▶ gate ─┬▶ sink
//!                                                                    └▶ PENDING
//!   latch ─▶ close slots ─▶ wait ─▶ write ─▶ open ─▶ wait ─▶ take what is PENDING
//! ```
//!
//! A slot without a message is closed, and keeps in its gate. It is written while it
//! is closed and nobody who has seen it open is left, so a message is sent whole. The
//! second wait is for who has seen it closed: what they kept is there when it is taken.

use ims::grace::{Crowd, Visit};
use ims::message::{Message, RequesterId};
use ims::sink::{Answer, MessageSink};
use ims::store::{Hold, SlotRef};
use ims::sync::{AtomicU32, AtomicU64, Ordering, fence};

use super::gate::{self, Way};
use super::gates::Gates;
use super::table::Table;
use crate::notifier::Event;

/// Crowds among which raisers are spread, so that queues that are busy on different
/// CPUs share few lines. One in a model.
const CROWDS: u32 = if cfg!(loom) { 1 } else { 16 };

/// What all clones of a port share with the control half.
///
/// # Concurrency
/// `event`, `raise` and `retry` on any thread. The rest is the control half's: one
/// thread at a time, and never inside a sink's `send`.
#[derive(Debug)]
pub(crate) struct Sender<G, K> {
    pub(crate) gates: G,
    sink: K,
    requester: RequesterId,
    crowds: Box<[Crowd]>,
    /// How many vectors there are; zero while it is not enabled.
    live: AtomicU32,
    pub(crate) table: Table,
    refused: AtomicU64,
    strays: AtomicU64,
    lost: AtomicU64,
}

impl<G, K> Sender<G, K> {
    /// Of at most `vectors` vectors and `queues` queues, disabled.
    pub(crate) fn new(
        vectors: u32,
        queues: u16,
        requester: RequesterId,
        gates: G,
        sink: K,
    ) -> Self {
        let crowds = vectors.next_power_of_two().min(CROWDS);
        Self {
            gates,
            sink,
            requester,
            crowds: (0..crowds).map(|_| Crowd::new()).collect(),
            live: AtomicU32::new(0),
            table: Table::new(vectors, queues),
            refused: AtomicU64::new(0),
            strays: AtomicU64::new(0),
            lost: AtomicU64::new(0),
        }
    }

    /// Whether it is; it may change at once.
    pub(crate) fn enabled(&self) -> bool {
        self.live.load(Ordering::Relaxed) != 0
    }

    /// Messages that the sink refused.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Raises of vectors that are not.
    pub(crate) fn strays(&self) -> u64 {
        self.strays.load(Ordering::Relaxed)
    }

    /// Gates that could not be reached.
    pub(crate) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// How many vectors there are, for a raiser that has entered.
    #[inline]
    fn live(&self) -> u32 {
        // Acquire: what was placed and latched before is there.
        self.live.load(Ordering::Acquire)
    }

    #[inline]
    fn enter(&self, near: u32) -> Option<Visit<'_>> {
        let number = near as usize & self.crowds.len().wrapping_sub(1);
        self.crowds.get(number).map(Crowd::enter)
    }

    /// Waits until every raise that has not seen what was written before is over.
    pub(crate) fn wait(&self) {
        for crowd in &self.crowds {
            crowd.wait();
        }
    }

    /// Everything back to how it was made; no raise is on its way when it returns.
    pub(crate) fn close(&self) {
        self.live.store(0, Ordering::Relaxed);
        self.wait();
        self.table.clear();
    }
}

impl<G: Gates, K: MessageSink> Sender<G, K> {
    /// An event of the device; `false` if interrupts are not messages now.
    #[inline]
    pub(crate) fn event(&self, event: Event) -> bool {
        let near = match event {
            Event::Used(queue) => queue.into(),
            Event::Config => 0,
        };
        let _visit = self.enter(near);
        if self.live() == 0 {
            return false;
        }
        if let Some(vector) = self.table.vector(event) {
            self.deliver(vector);
        }
        true
    }

    /// A vector by its number; nothing while it is not enabled.
    #[inline]
    pub(crate) fn raise(&self, vector: u32) {
        let _visit = self.enter(vector);
        if vector < self.live() {
            self.deliver(vector);
        } else {
            self.strays.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Sends what a busy sink left kept, if it is still to be sent.
    pub(crate) fn retry(&self, vector: u32) {
        let _visit = self.enter(vector);
        if vector < self.live() {
            self.take(vector);
        }
    }

    /// The area's first `vectors` vectors send from now on, and what they have kept is
    /// sent. Gates are placed, messages written.
    pub(crate) fn open(&self, messages: &[Message]) {
        for (vector, message) in (0u32..).zip(messages) {
            self.write(vector, *message);
        }
        let vectors = u32::try_from(messages.len()).unwrap_or(u32::MAX);
        // Release: who sees it finds gates, messages and map.
        self.live.store(vectors, Ordering::Release);
        // Who has not seen it yet has gone another way before this returns.
        self.wait();
        (0..vectors).for_each(|vector| self.take(vector));
    }

    /// Gives vectors from `first` on these messages, whole; the zero message closes
    /// one. When it returns, none of before is sent any more, and what could be sent
    /// by now is.
    pub(crate) fn latch(&self, first: u32, messages: &[Message]) {
        let vectors = || (first..).zip(messages);
        let mut closed = false;
        for (vector, message) in vectors() {
            if self.table.message(vector).unwrap_or_default() != *message
                && let Some(slot) = self.table.slot(vector)
            {
                slot.mask();
                closed = true;
            }
        }
        self.wait();
        if closed {
            for (vector, message) in vectors() {
                self.write(vector, *message);
            }
            self.wait();
        }
        for (vector, _) in vectors() {
            self.take(vector);
        }
    }

    /// Writes a quiet slot; one that is open has its message already.
    fn write(&self, vector: u32, message: Message) {
        if self.table.message(vector).is_none() && self.table.write(vector, message) {
            // Kept in the slot, for its gate was out of reach.
            self.deliver(vector);
        }
    }

    /// Sends what a vector has kept, if it can be sent now.
    pub(crate) fn take(&self, vector: u32) {
        let Some(slot) = self.table.slot(vector) else {
            return;
        };
        let contents = slot.load();
        if !contents.sends() {
            return;
        }
        if slot.is_pending() && slot.take_pending().is_some() {
            self.deliver(vector);
        }
        match self.gates.with(vector, gate::take) {
            Some(true) => self.send(vector, slot, contents.message),
            Some(false) => {}
            None => self.lose(),
        }
    }

    #[inline]
    fn deliver(&self, vector: u32) {
        let Some(slot) = self.table.slot(vector) else {
            return;
        };
        let contents = slot.load();
        let open = contents.sends();
        match self.gates.with(vector, |word| gate::raise(word, open)) {
            Some(Way::Send) => self.send(vector, slot, contents.message),
            Some(Way::Kept) => {}
            None => self.deliver_without_gate(vector, slot),
        }
    }

    /// Nothing says that it is masked; without a message it is kept in the slot.
    #[cold]
    fn deliver_without_gate(&self, vector: u32, slot: SlotRef<'_>) {
        self.lose();
        if let Hold::Send(message) = slot.hold() {
            self.send(vector, slot, message);
        }
    }

    fn lose(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }

    #[inline]
    fn send(&self, vector: u32, slot: SlotRef<'_>, message: Message) {
        loop {
            match self.sink.send(self.requester, message) {
                Answer::Accepted(_) => return,
                Answer::Refused(_) => {
                    self.refused.fetch_add(1, Ordering::Relaxed);
                    return;
                }
                Answer::Busy if self.keep(vector, slot, message) => return,
                Answer::Busy => {}
            }
        }
    }

    /// Keeps what a busy sink did not take; `false` if the sink is ready by now, and
    /// it is to be sent again.
    ///
    /// It is kept before the sink is asked again, and a sink becomes ready before it
    /// has what is kept tried again: one of the two sees the other.
    #[cold]
    fn keep(&self, vector: u32, slot: SlotRef<'_>, message: Message) -> bool {
        if self.gates.with(vector, gate::keep).is_none() {
            self.lose();
            let _ = slot.hold_for_sink();
        }
        fence(Ordering::SeqCst);
        if !self.sink.ready(self.requester, message) {
            return true;
        }
        let taken = self.gates.with(vector, gate::take);
        // Nothing to take: somebody else has it, or it was masked meanwhile.
        !taken.unwrap_or_else(|| slot.take_pending().is_some())
    }
}
