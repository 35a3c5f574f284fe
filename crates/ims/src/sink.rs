// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The two places an interrupt can be sent to, and what they answer.
//!
//! [`MessageSink`] takes what a slot holds: address and data, with the id of
//! the one who sent it. [`CpuSink`] takes what remapping decided: a CPU and a
//! vector. The remap unit is a message sink in front of a CPU sink. There are
//! no others: an eventfd is a trigger, called by whoever handles an interrupt,
//! and never poses as an APIC id.

use crate::message::{Addressing, DeliveryMode, Destination, Format, Message, RequesterId};
use crate::remap::FaultReason;

/// What a sink did with an interrupt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "an interrupt that was not accepted must be kept pending or counted"]
pub enum Answer {
    /// It is on its way; the sender has nothing left to do.
    Accepted(Acceptance),
    /// Not now. The sender keeps it pending and tries again when the sink says
    /// it is ready.
    Busy,
    /// Never: it was dropped, and whoever refused it has recorded why.
    Refused(Refusal),
}

/// How an accepted interrupt was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acceptance {
    /// It will be seen as an interrupt of its own.
    Fresh,
    /// It met one that was already pending at the same place: one will be seen.
    Coalesced,
    /// It went where nobody can watch it (a system call, a device): whether it
    /// met another one is not known.
    HandedOver,
}

/// Why an interrupt was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The remap unit blocked it and recorded a fault with this reason.
    #[error("blocked by interrupt remapping: {0}")]
    Fault(FaultReason),
    /// The raise named no allocated interrupt.
    #[error("no such interrupt; it was never allocated, or was freed")]
    NotAllocated,
    /// The slot belongs to another PASID than the submitter's.
    #[error("the submitter's PASID does not own this interrupt")]
    Pasid,
    /// The message is none that this sink can read.
    #[error("not an interrupt message this sink understands; check the slot's address and data")]
    Malformed,
    /// No CPU answers to the destination.
    #[error("no CPU with this destination; it may have been removed")]
    NoSuchCpu,
    /// The sink cannot deliver in this mode.
    #[error("delivery mode not supported by this sink; use fixed mode, physical destination")]
    Mode,
    /// The sink is gone for good.
    #[error("the receiver is gone")]
    Gone,
}

/// Takes interrupt messages.
///
/// # Concurrency
/// Called from any thread that raises, possibly many at once; must not block,
/// allocate or take a lock if the sender's path is to stay free of them.
///
/// # Busy
/// A sink that answers [`Answer::Busy`] must, once it is ready again, first
/// make [`MessageSink::ready`] true and then have the pending interrupts of its
/// senders retried ([`crate::domain::Port::retry`]). Because a sender sets its
/// pending bit before it asks `ready`, one of the two always sees the other.
pub trait MessageSink {
    /// Sends one message on behalf of `requester`.
    fn send(&self, requester: RequesterId, message: Message) -> Answer;

    /// Whether a message that found the sink busy would now be taken.
    fn ready(&self, _requester: RequesterId, _message: Message) -> bool {
        true
    }
}

/// Takes an interrupt for a CPU.
///
/// # Concurrency
/// As for [`MessageSink`].
pub trait CpuSink {
    /// Delivers `vector` to the CPU (or CPUs) that answer to `destination`.
    fn deliver(&self, destination: Destination, vector: u8, mode: DeliveryMode) -> Answer;

    /// Whether an interrupt that found the sink busy would now be taken.
    fn ready(&self, _destination: Destination) -> bool {
        true
    }
}

impl<S: MessageSink + ?Sized> MessageSink for &S {
    fn send(&self, requester: RequesterId, message: Message) -> Answer {
        (**self).send(requester, message)
    }
    fn ready(&self, requester: RequesterId, message: Message) -> bool {
        (**self).ready(requester, message)
    }
}

impl<S: MessageSink + ?Sized> MessageSink for alloc::sync::Arc<S> {
    fn send(&self, requester: RequesterId, message: Message) -> Answer {
        (**self).send(requester, message)
    }
    fn ready(&self, requester: RequesterId, message: Message) -> bool {
        (**self).ready(requester, message)
    }
}

impl<S: CpuSink + ?Sized> CpuSink for &S {
    fn deliver(&self, destination: Destination, vector: u8, mode: DeliveryMode) -> Answer {
        (**self).deliver(destination, vector, mode)
    }
    fn ready(&self, destination: Destination) -> bool {
        (**self).ready(destination)
    }
}

impl<S: CpuSink + ?Sized> CpuSink for alloc::sync::Arc<S> {
    fn deliver(&self, destination: Destination, vector: u8, mode: DeliveryMode) -> Answer {
        (**self).deliver(destination, vector, mode)
    }
    fn ready(&self, destination: Destination) -> bool {
        (**self).ready(destination)
    }
}

/// The path without remapping: compatibility messages go straight to the CPUs
/// they name, whoever sends them.
#[derive(Debug, Clone)]
pub struct Unmapped<C> {
    /// Where they go.
    pub cpus: C,
    /// Which destination bits an address has.
    pub addressing: Addressing,
}

impl<C: CpuSink> MessageSink for Unmapped<C> {
    fn send(&self, _requester: RequesterId, message: Message) -> Answer {
        match message.decode(self.addressing) {
            Ok(Format::Compatibility(message)) => {
                self.cpus
                    .deliver(message.destination, message.vector, message.delivery)
            }
            Ok(Format::Remappable(_)) | Err(_) => Answer::Refused(Refusal::Malformed),
        }
    }

    fn ready(&self, _requester: RequesterId, message: Message) -> bool {
        match message.decode(self.addressing) {
            Ok(Format::Compatibility(message)) => self.cpus.ready(message.destination),
            Ok(Format::Remappable(_)) | Err(_) => true,
        }
    }
}
