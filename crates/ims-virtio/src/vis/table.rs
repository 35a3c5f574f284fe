// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What commands have latched: a message for each vector, a vector for each event.

use ims::message::Message;
use ims::store::SlotRef;
use ims::sync::{AtomicU32, AtomicU64, Ordering};

use crate::layout::vis::NO_VECTOR;
use crate::notifier::Event;

/// Slots and map of one device, as many as it offers.
///
/// # Concurrency
/// Anybody reads. The control half alone writes: a slot only while it is closed and
/// nobody is left who has seen it open.
#[derive(Debug)]
pub(crate) struct Table {
    slots: Box<[[AtomicU64; 2]]>,
    queues: Box<[AtomicU32]>,
    config: AtomicU32,
}

impl Table {
    /// No messages, and no vectors.
    pub(crate) fn new(vectors: u32, queues: u16) -> Self {
        let table = Self {
            slots: (0..vectors).map(|_| Default::default()).collect(),
            queues: (0..queues).map(|_| AtomicU32::new(NO_VECTOR)).collect(),
            config: AtomicU32::new(NO_VECTOR),
        };
        table.clear();
        table
    }

    /// A vector's slot: closed (masked) if it has no message.
    #[inline]
    pub(crate) fn slot(&self, vector: u32) -> Option<SlotRef<'_>> {
        let [address, word] = self.slots.get(vector as usize)?;
        Some(SlotRef::new(address, word))
    }

    /// The message of a vector, if it has one.
    pub(crate) fn message(&self, vector: u32) -> Option<Message> {
        let contents = self.slot(vector)?.load();
        contents.sends().then_some(contents.message)
    }

    /// Gives a closed, quiet slot a message, and opens it with one that is not zero.
    /// Says whether a raise was kept in it, which the caller delivers.
    #[must_use = "a kept interrupt that is not delivered is lost"]
    pub(crate) fn write(&self, vector: u32, message: Message) -> bool {
        let Some(slot) = self.slot(vector) else {
            return false;
        };
        slot.program(message);
        message != Message::default() && slot.unmask()
    }

    fn place(&self, event: Event) -> Option<&AtomicU32> {
        match event {
            Event::Used(queue) => self.queues.get(usize::from(queue)),
            Event::Config => Some(&self.config),
        }
    }

    /// The vector that an event has.
    #[inline]
    pub(crate) fn vector(&self, event: Event) -> Option<u32> {
        // Relaxed: a raise may go either way until the map's change is waited for.
        let vector = self.place(event)?.load(Ordering::Relaxed);
        (vector != NO_VECTOR).then_some(vector)
    }

    /// Gives an event a vector, or none.
    pub(crate) fn map(&self, event: Event, vector: u32) {
        if let Some(place) = self.place(event) {
            place.store(vector, Ordering::Relaxed);
        }
    }

    /// Forgets all of it; nobody looks. What slots have kept is dropped.
    pub(crate) fn clear(&self) {
        for [address, word] in &self.slots {
            SlotRef::new(address, word).prepare(0);
        }
        for place in self.queues.iter().chain([&self.config]) {
            place.store(NO_VECTOR, Ordering::Relaxed);
        }
    }
}
