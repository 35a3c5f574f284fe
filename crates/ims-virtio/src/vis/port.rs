// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a device raises vectors with.

use std::sync::Arc;

use ims::message::Message;
use ims::sink::MessageSink;

use super::gates::InMemory;
use super::sender::Sender;
use crate::memory::Memory;
use crate::notifier::Event;

/// The data half of a [`super::Vis`]. A clone is the same.
///
/// # Concurrency
/// On any thread, several at a time; no lock, no wait, no allocation. The sink is
/// called inside: it must not wait for whoever writes this store's registers, for a
/// command waits until raises are over.
#[derive(Debug)]
pub struct VisPort<M, K> {
    pub(super) sender: Arc<Sender<InMemory<M>, K>>,
}

impl<M, K> Clone for VisPort<M, K> {
    fn clone(&self) -> Self {
        Self {
            sender: Arc::clone(&self.sender),
        }
    }
}

/// What went wrong on the way of messages, since the device was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Losses {
    /// Messages that the sink refused.
    pub refused: u64,
    /// Raises of vectors that the area has not.
    pub strays: u64,
    /// Looks at gates that could not be reached: their vectors were taken to be
    /// unmasked.
    pub gates: u64,
}

impl<M: Memory, K: MessageSink> VisPort<M, K> {
    /// Whether interrupts are messages now.
    pub fn enabled(&self) -> bool {
        self.sender.enabled()
    }

    /// Tells the driver of `event`, by the vector that it has; without one the driver
    /// does not want to be told. `false` if the store is not enabled: take another
    /// way. When a command that enables has been done, nobody gets `false` any more;
    /// who has got it may still be about to use it.
    ///
    /// Everything the caller wrote before is visible to whoever handles the interrupt.
    #[inline]
    pub fn event(&self, event: Event) -> bool {
        self.sender.event(event)
    }

    /// Raises a vector by its number. One that the area has not is counted.
    #[inline]
    pub fn raise(&self, vector: u32) {
        self.sender.raise(vector);
    }

    /// Sends what a busy sink has left kept. A sink that has become ready has this
    /// called for each vector.
    pub fn retry(&self, vector: u32) {
        self.sender.retry(vector);
    }

    /// The vector that an event has now.
    pub fn vector(&self, event: Event) -> Option<u32> {
        self.sender.table.vector(event)
    }

    /// The message that a vector was given last, masked or not.
    pub fn message(&self, vector: u32) -> Option<Message> {
        self.sender.table.message(vector)
    }

    /// What went wrong so far.
    pub fn losses(&self) -> Losses {
        Losses {
            refused: self.sender.refused(),
            strays: self.sender.strays(),
            gates: self.sender.lost(),
        }
    }
}
