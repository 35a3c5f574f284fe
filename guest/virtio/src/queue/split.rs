// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The queue itself.

use core::sync::atomic::{AtomicU16, Ordering, fence};

use ims_virtio::layout::features::{RING_EVENT_IDX, RING_INDIRECT_DESC};

use super::layout::{self, Layout};
use super::slots::Slots;
use super::{Buffer, QueueError, Rings, Used};
use crate::shared::Shared;

/// What a queue is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Descriptors: a power of two.
    pub size: u16,
    /// Indirect descriptors a chain may have; 0 to use none. Has no effect unless the
    /// feature was agreed.
    pub table: u16,
    /// The features that were agreed.
    pub features: u64,
}

/// A queue of at most `N` descriptors.
///
/// # Concurrency
/// One CPU at a time.
#[derive(Debug)]
pub struct SplitQueue<S, const N: usize> {
    shared: S,
    layout: Layout,
    event_idx: bool,
    slots: Slots<N>,
    /// How many chains were ever made available, modulo 2^16.
    available: u16,
    /// What that was when the device was last looked at for a notification.
    announced: u16,
    /// How many were ever taken back, modulo 2^16.
    taken: u16,
    /// Interrupts are wanted.
    told: bool,
    broken: bool,
}

impl<S: Shared, const N: usize> SplitQueue<S, N> {
    /// An empty queue in the first [`super::bytes`] of `shared`, which it zeroes.
    ///
    /// # Errors
    /// [`QueueError::Size`] and [`QueueError::Memory`].
    pub fn new(shared: S, options: Options) -> Result<Self, QueueError> {
        let Options {
            size,
            table,
            features,
        } = options;
        if !size.is_power_of_two() || size > 1 << 15 || usize::from(size) > N {
            return Err(QueueError::Size);
        }
        let has = |feature| features & feature != 0;
        let table = if has(RING_INDIRECT_DESC) { table } else { 0 };
        let layout = Layout { size, table };
        let aligned = shared.bus_address().is_multiple_of(16);
        if layout.bytes() > shared.len() || !aligned {
            return Err(QueueError::Memory);
        }
        for word in (0..layout.tables()).step_by(8) {
            let word = shared.word64(word).ok_or(QueueError::Memory)?;
            word.store(0, Ordering::Relaxed);
        }
        Ok(Self {
            shared,
            layout,
            event_idx: has(RING_EVENT_IDX),
            slots: Slots::new(size),
            available: 0,
            announced: 0,
            taken: 0,
            told: true,
            broken: false,
        })
    }

    /// What the device is told.
    pub fn rings(&self) -> Rings {
        let at = |offset: usize| {
            let offset = u64::try_from(offset).unwrap_or(u64::MAX);
            self.shared.bus_address().wrapping_add(offset)
        };
        Rings {
            size: self.layout.size,
            descriptors: at(0),
            driver: at(self.layout.driver()),
            device: at(self.layout.device()),
        }
    }

    /// The memory it is in.
    pub fn shared(&self) -> &S {
        &self.shared
    }

    /// How many descriptors are free.
    pub fn free(&self) -> u16 {
        self.slots.free()
    }

    /// How many chains are with the device.
    pub fn in_flight(&self) -> u16 {
        self.slots.chains()
    }

    /// The token that the next chain will have; `None` while the queue is full.
    pub fn next_token(&self) -> Option<u16> {
        self.slots.head()
    }

    /// Makes a chain available. The device may begin before it is notified.
    ///
    /// # Errors
    /// [`QueueError::Full`], [`QueueError::Chain`], [`QueueError::Broken`]; nothing is
    /// added then.
    pub fn add(
        &mut self,
        buffers: impl Iterator<Item = Buffer> + Clone,
    ) -> Result<u16, QueueError> {
        if self.broken {
            return Err(QueueError::Broken);
        }
        let (count, writable) = measure(buffers.clone())?;
        let indirect = count > 1 && count <= self.layout.table;
        let needed = if indirect { 1 } else { count };
        if needed > self.layout.size {
            return Err(QueueError::Chain);
        }
        let head = self.slots.head().ok_or(QueueError::Full)?;
        if needed > self.slots.free() {
            return Err(QueueError::Full);
        }
        let last = if indirect {
            self.write_table(head, buffers, count)?;
            head
        } else {
            self.write_chain(head, buffers, count)?
        };
        self.slots
            .take(needed, last, writable)
            .ok_or(QueueError::Full)?;
        let place = usize::from(self.available & (self.layout.size - 1));
        let element = self.layout.driver() + layout::RING + 2 * place;
        self.word(element)?.store(head.to_le(), Ordering::Relaxed);
        self.available = self.available.wrapping_add(1);
        // The device that sees the index sees the chain.
        self.word(self.layout.driver() + layout::INDEX)?
            .store(self.available.to_le(), Ordering::Release);
        Ok(head)
    }

    /// Whether the device wants to be notified of what was added since this was last
    /// asked.
    pub fn wants_notification(&mut self) -> bool {
        let before = core::mem::replace(&mut self.announced, self.available);
        if before == self.available {
            return false;
        }
        // The index is out before the device's wish is read: else both sides could
        // take the other to be awake.
        fence(Ordering::SeqCst);
        let asked = if self.event_idx {
            let event = self.load(self.layout.avail_event(), Ordering::Relaxed);
            event.map(|event| passed(event, before, self.available))
        } else {
            let flags = self.load(self.layout.device() + layout::FLAGS, Ordering::Relaxed);
            flags.map(|flags| flags & layout::NO_NOTIFY == 0)
        };
        asked.unwrap_or(true)
    }

    /// A chain that came back. When it is `None` and interrupts are wanted, there will
    /// be one for what comes later.
    ///
    /// # Errors
    /// [`QueueError::Broken`], from now on.
    pub fn take(&mut self) -> Result<Option<Used>, QueueError> {
        if self.broken {
            return Err(QueueError::Broken);
        }
        let mut there = self.used_index()?;
        if there == self.taken && self.told && self.event_idx {
            self.ask_for(self.taken)?;
            there = self.used_index()?;
        }
        let waiting = there.wrapping_sub(self.taken);
        if waiting == 0 {
            return Ok(None);
        }
        self.take_one(waiting)
            .inspect_err(|_| self.broken = true)
            .map(Some)
    }

    /// Interrupts are wanted from now on, or not; that is a wish. With `true`: whether
    /// something has come back already, for which there may be none.
    ///
    /// # Errors
    /// [`QueueError::Broken`].
    pub fn want_interrupts(&mut self, wanted: bool) -> Result<bool, QueueError> {
        self.told = wanted;
        if self.event_idx {
            // A whole round away is as good as never.
            let event = if wanted {
                self.taken
            } else {
                self.taken.wrapping_sub(1)
            };
            self.ask_for(event)?;
        } else {
            let flags = if wanted { 0 } else { layout::NO_INTERRUPT };
            self.word(self.layout.driver() + layout::FLAGS)?
                .store(flags.to_le(), Ordering::Relaxed);
            fence(Ordering::SeqCst);
        }
        Ok(self.used_index()? != self.taken)
    }

    fn take_one(&mut self, waiting: u16) -> Result<Used, QueueError> {
        if waiting > self.slots.chains() {
            return Err(QueueError::Broken);
        }
        let place = usize::from(self.taken & (self.layout.size - 1));
        let element = self.layout.device() + layout::RING + layout::USED * place;
        let word = |at| {
            let word = self.shared.word32(at).ok_or(QueueError::Memory)?;
            Ok(u32::from_le(word.load(Ordering::Relaxed)))
        };
        let (id, written) = (word(element)?, word(element + 4)?);
        let (token, writable) = self.slots.give(id).ok_or(QueueError::Broken)?;
        self.taken = self.taken.wrapping_add(1);
        if written > writable {
            return Err(QueueError::Broken);
        }
        Ok(Used { token, written })
    }

    /// Writes a chain over free descriptors; which is the last.
    fn write_chain(
        &self,
        head: u16,
        buffers: impl Iterator<Item = Buffer>,
        count: u16,
    ) -> Result<u16, QueueError> {
        let mut at = head;
        for (buffer, left) in buffers.zip((0..count).rev()) {
            let next = self.slots.after(at).ok_or(QueueError::Memory)?;
            let link = (left > 0).then_some(next);
            self.write_descriptor(usize::from(at) * layout::DESCRIPTOR, buffer, link)?;
            if left > 0 {
                at = next;
            }
        }
        Ok(at)
    }

    /// Writes a chain into the table of `head`, and that into the descriptor.
    fn write_table(
        &self,
        head: u16,
        buffers: impl Iterator<Item = Buffer>,
        count: u16,
    ) -> Result<(), QueueError> {
        let table = self.layout.table(head);
        for (buffer, index) in buffers.zip(0..count) {
            let link = (index + 1 < count).then_some(index + 1);
            let offset = table + usize::from(index) * layout::DESCRIPTOR;
            self.write_descriptor(offset, buffer, link)?;
        }
        let offset = u64::try_from(table).map_err(|_| QueueError::Memory)?;
        let address = self.shared.bus_address().wrapping_add(offset);
        let length = u32::from(count) * 16;
        let at = usize::from(head) * layout::DESCRIPTOR;
        self.store_descriptor(at, address, length, layout::INDIRECT, 0)
    }

    fn write_descriptor(
        &self,
        offset: usize,
        buffer: Buffer,
        link: Option<u16>,
    ) -> Result<(), QueueError> {
        let write = if buffer.writable { layout::WRITE } else { 0 };
        let (flag, next) = link.map_or((0, 0), |next| (layout::NEXT, next));
        self.store_descriptor(offset, buffer.address, buffer.length, write | flag, next)
    }

    fn store_descriptor(
        &self,
        offset: usize,
        address: u64,
        length: u32,
        flags: u16,
        next: u16,
    ) -> Result<(), QueueError> {
        let second = u64::from(length) | u64::from(flags) << 32 | u64::from(next) << 48;
        for (at, value) in [(offset, address), (offset + 8, second)] {
            let word = self.shared.word64(at).ok_or(QueueError::Memory)?;
            word.store(value.to_le(), Ordering::Relaxed);
        }
        Ok(())
    }

    /// Asks for an interrupt when the device goes past `event`, before whatever is
    /// looked at next.
    fn ask_for(&self, event: u16) -> Result<(), QueueError> {
        self.word(self.layout.used_event())?
            .store(event.to_le(), Ordering::Relaxed);
        fence(Ordering::SeqCst);
        Ok(())
    }

    /// How many the device has given back; what it wrote before is visible.
    fn used_index(&self) -> Result<u16, QueueError> {
        self.load(self.layout.device() + layout::INDEX, Ordering::Acquire)
    }

    fn load(&self, offset: usize, ordering: Ordering) -> Result<u16, QueueError> {
        Ok(u16::from_le(self.word(offset)?.load(ordering)))
    }

    fn word(&self, offset: usize) -> Result<&AtomicU16, QueueError> {
        self.shared.word16(offset).ok_or(QueueError::Memory)
    }
}

/// How many buffers, and how many bytes the device may write.
fn measure(buffers: impl Iterator<Item = Buffer>) -> Result<(u16, u32), QueueError> {
    let mut count = 0_u16;
    let mut writable = 0_u32;
    let mut writes = false;
    for buffer in buffers {
        if writes && !buffer.writable {
            return Err(QueueError::Chain);
        }
        writes = buffer.writable;
        count = count.checked_add(1).ok_or(QueueError::Chain)?;
        let bytes = if writes { buffer.length } else { 0 };
        writable = writable.checked_add(bytes).ok_or(QueueError::Chain)?;
    }
    (count > 0)
        .then_some((count, writable))
        .ok_or(QueueError::Chain)
}

/// Whether an index that went from `before` to `now` passed `event`. Source: virtio
/// 1.3, 2.7.7.2.
fn passed(event: u16, before: u16, now: u16) -> bool {
    now.wrapping_sub(event).wrapping_sub(1) < now.wrapping_sub(before)
}
