// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which descriptors are free, and which are a chain in flight; the driver's alone.

/// A descriptor, as the driver remembers it.
#[derive(Debug, Clone, Copy)]
struct Slot {
    /// The next of the chain, or the next free one.
    next: u16,
    /// Of a chain's head in flight: how many it has. Zero for all others.
    count: u16,
    /// Of a chain's head: how many bytes the device may write.
    writable: u32,
}

/// All descriptors of a queue.
#[derive(Debug)]
pub(super) struct Slots<const N: usize> {
    slots: [Slot; N],
    first: u16,
    free: u16,
    chains: u16,
}

impl<const N: usize> Slots<N> {
    /// `size` free ones, at most `N`.
    pub(super) fn new(size: u16) -> Self {
        let empty = Slot {
            next: 0,
            count: 0,
            writable: 0,
        };
        let mut slots = [empty; N];
        for (slot, next) in slots.iter_mut().zip(1_u16..) {
            slot.next = next;
        }
        Self {
            slots,
            first: 0,
            free: size,
            chains: 0,
        }
    }

    /// How many are free.
    pub(super) fn free(&self) -> u16 {
        self.free
    }

    /// How many chains are in flight.
    pub(super) fn chains(&self) -> u16 {
        self.chains
    }

    /// The one that comes first in the next chain.
    pub(super) fn head(&self) -> Option<u16> {
        (self.free > 0).then_some(self.first)
    }

    /// The one after `slot`, in a chain or among the free.
    pub(super) fn after(&self, slot: u16) -> Option<u16> {
        Some(self.slots.get(usize::from(slot))?.next)
    }

    /// Makes a chain of the first `count` free ones; `last` is the last of them.
    pub(super) fn take(&mut self, count: u16, last: u16, writable: u32) -> Option<u16> {
        let head = self.head()?;
        let rest = self.after(last)?;
        let left = self.free.checked_sub(count)?;
        let slot = self.slots.get_mut(usize::from(head))?;
        slot.count = count;
        slot.writable = writable;
        self.first = rest;
        self.free = left;
        self.chains = self.chains.saturating_add(1);
        Some(head)
    }

    /// Ends the chain at `head`: how many bytes were writable. `None` if there is no
    /// such chain.
    pub(super) fn give(&mut self, head: u32) -> Option<(u16, u32)> {
        let head = u16::try_from(head).ok()?;
        let slot = self.slots.get_mut(usize::from(head))?;
        let count = core::mem::take(&mut slot.count);
        let writable = slot.writable;
        let mut last = head;
        for _ in 0..count.checked_sub(1)? {
            last = self.after(last)?;
        }
        self.slots.get_mut(usize::from(last))?.next = self.first;
        self.first = head;
        self.free = self.free.checked_add(count)?;
        self.chains = self.chains.checked_sub(1)?;
        Some((head, writable))
    }
}
