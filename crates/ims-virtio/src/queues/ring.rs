// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A queue's rings, as far as the driver can be believed.

use std::sync::atomic::Ordering;

use virtio_queue::{DescriptorChain, Queue, QueueOwnedT, QueueT};
use vm_memory::{Bytes, GuestAddress, GuestMemory};

/// `flags` of the available ring: the driver wants no interrupt. Source: virtio 1.3,
/// 2.7.6.
const NO_INTERRUPT: u16 = 1;

/// Why a ring cannot be gone on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RingError {
    /// It is not in memory, or memory went away.
    Unreachable,
    /// The driver wrote what no driver may write.
    Invalid,
}

impl From<virtio_queue::Error> for RingError {
    fn from(error: virtio_queue::Error) -> Self {
        match error {
            virtio_queue::Error::GuestMemory(_) => Self::Unreachable,
            _ => Self::Invalid,
        }
    }
}

/// A chain that is used: its head, and the bytes written into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Used {
    pub(crate) head: u16,
    pub(crate) written: u32,
}

/// The rings of one queue.
pub(crate) struct Ring {
    queue: Queue,
    /// Chains taken and not put back yet.
    in_flight: u16,
}

impl Ring {
    pub(crate) fn new(mut queue: Queue, event_idx: bool) -> Self {
        queue.set_event_idx(event_idx);
        Self {
            queue,
            in_flight: 0,
        }
    }

    /// Takes the next chain, if there is one.
    pub(crate) fn take<'a, G: GuestMemory>(
        &mut self,
        memory: &'a G,
    ) -> Result<Option<DescriptorChain<&'a G>>, RingError> {
        let next = self.queue.avail_idx(memory, Ordering::Acquire)?;
        if next.0 == self.queue.next_avail() {
            return Ok(None);
        }
        if self.in_flight >= self.queue.size() {
            // More chains than there are descriptors.
            return Err(RingError::Invalid);
        }
        let chain = self.queue.iter(memory)?.next();
        let chain = chain.ok_or(RingError::Unreachable)?;
        if chain.head_index() >= self.queue.size() {
            return Err(RingError::Invalid);
        }
        self.in_flight = self.in_flight.saturating_add(1);
        Ok(Some(chain))
    }

    /// Gives back the chain that was taken last, to be taken again.
    pub(crate) fn give_back(&mut self) {
        self.queue.go_to_previous_position();
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// Puts one into the used ring.
    pub(crate) fn put<G: GuestMemory>(&mut self, memory: &G, used: Used) -> Result<(), RingError> {
        let at = self.queue.next_used();
        let put = self.queue.add_used(memory, used.head, used.written);
        if put.is_err() {
            // It counts its step before the last write, which may be what failed.
            self.queue.set_next_used(at);
        } else {
            self.in_flight = self.in_flight.saturating_sub(1);
        }
        Ok(put?)
    }

    /// Whether the driver wants to be told of what was put.
    pub(crate) fn wants_interrupt<G: GuestMemory>(
        &mut self,
        memory: &G,
    ) -> Result<bool, RingError> {
        // Has the fence between the used ring and what is read here.
        let wanted = self.queue.needs_notification(memory)?;
        if self.queue.event_idx_enabled() {
            return Ok(wanted);
        }
        let flags = GuestAddress(self.queue.avail_ring());
        let flags: u16 = memory
            .load(flags, Ordering::Relaxed)
            .map_err(|_| RingError::Unreachable)?;
        Ok(u16::from_le(flags) & NO_INTERRUPT == 0)
    }

    /// The driver need not notify: somebody looks.
    pub(crate) fn look<G: GuestMemory>(&mut self, memory: &G) -> Result<(), RingError> {
        Ok(self.queue.disable_notification(memory)?)
    }

    /// The driver must notify from now on. True if there is something already.
    pub(crate) fn look_away<G: GuestMemory>(&mut self, memory: &G) -> Result<bool, RingError> {
        Ok(self.queue.enable_notification(memory)?)
    }
}
