// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Slots side by side in device memory.
//!
//! The memory is the device's own, or a byte region that somebody else can see
//! too: a BAR, a page shared with a guest. Whoever sees it reads the slots in the
//! layout of [`super::layout`], little-endian.

use alloc::sync::Arc;
use core::ops::Deref;

use super::slot::{SlotWords, unowned};
use super::{Cookie, CookieUse, Direct, Effects, SlotRef, Slots, Store, StoreError};
use crate::message::Message;
use crate::segments::Segments;
use crate::sync::{AtomicU64, Ordering};

/// Memory that holds slots side by side.
pub trait SlotMemory: Clone + Send + Sync + 'static {
    /// The slot at `index`, if the memory reaches that far.
    fn slot(&self, index: u32) -> Option<SlotRef<'_>>;

    /// Makes room for `count` slots, as far as the memory can grow.
    fn grow(&self, _count: u32) {}
}

/// The device's own memory; taken when slots are used, never moved.
#[derive(Debug, Clone, Default)]
pub struct OwnMemory(Arc<Segments<SlotWords>>);

impl SlotMemory for OwnMemory {
    #[inline]
    fn slot(&self, index: u32) -> Option<SlotRef<'_>> {
        self.0.get(index).map(SlotRef::from)
    }

    fn grow(&self, count: u32) {
        self.0.grow(count, |_| unowned());
    }
}

/// Slots laid over part of a region of 64-bit words.
///
/// The region may hold other things before and after, and may be mapped
/// elsewhere: only the slots' own bytes are ever written.
#[derive(Debug, Clone)]
pub struct Region<R> {
    words: R,
    first: usize,
    count: u32,
}

impl<R: Deref<Target = [AtomicU64]>> Region<R> {
    /// `count` slots from byte `offset` of `words`.
    ///
    /// # Errors
    /// [`StoreError::Region`] if they do not fit or `offset` is not a multiple of
    /// eight.
    pub fn new(words: R, offset: u64, count: u32) -> Result<Self, StoreError> {
        let bytes = words.len() as u64 * 8;
        let refused = StoreError::Region {
            offset,
            slots: count,
            bytes,
        };
        let end = offset.checked_add(u64::from(count) * u64::from(super::layout::SLOT_BYTES));
        if !offset.is_multiple_of(8) || end.is_none_or(|end| end > bytes) {
            return Err(refused);
        }
        let first = usize::try_from(offset / 8).map_err(|_| refused)?;
        let region = Self {
            words,
            first,
            count,
        };
        for index in 0..count {
            if let Some(slot) = region.at(index) {
                slot.clear();
                slot.scrub();
            }
        }
        Ok(region)
    }

    fn at(&self, index: u32) -> Option<SlotRef<'_>> {
        if index >= self.count {
            return None;
        }
        let word = self.first + index as usize * 2;
        Some(SlotRef::new(
            self.words.get(word)?,
            self.words.get(word + 1)?,
        ))
    }
}

impl<R> SlotMemory for Region<R>
where
    R: Deref<Target = [AtomicU64]> + Clone + Send + Sync + 'static,
{
    #[inline]
    fn slot(&self, index: u32) -> Option<SlotRef<'_>> {
        self.at(index)
    }
}

/// Reads bytes of a region as a guest would, at any offset and of any length.
///
/// Bytes beyond its end read as zero. Each 64-bit word is read once; a read that
/// spans two may see one before and one after a change.
pub fn read_bytes(words: &[AtomicU64], offset: u64, into: &mut [u8]) {
    let mut loaded = None;
    for (at, byte) in (0u64..).zip(into) {
        let Some(at) = offset.checked_add(at) else {
            *byte = 0;
            continue;
        };
        let (word, lane) = (at / 8, (at % 8) as usize);
        let bytes = match loaded {
            Some((loaded, bytes)) if loaded == word => bytes,
            _ => usize::try_from(word)
                .ok()
                .and_then(|word| words.get(word))
                .map_or([0; 8], |word| word.load(Ordering::Acquire).to_le_bytes()),
        };
        loaded = Some((word, bytes));
        *byte = bytes.get(lane).copied().unwrap_or(0);
    }
}

/// A table of slots.
#[derive(Debug)]
pub struct Table<M: SlotMemory = OwnMemory> {
    memory: M,
    limit: u32,
    cookies: CookieUse,
}

impl Table {
    /// A table of up to `limit` slots in memory of its own.
    pub fn new(limit: u32, cookies: CookieUse) -> Self {
        Self {
            memory: OwnMemory::default(),
            limit,
            cookies,
        }
    }
}

impl<R: Deref<Target = [AtomicU64]> + Clone + Send + Sync + 'static> Table<Region<R>> {
    /// A table over all slots of `region`.
    pub fn over(region: Region<R>, cookies: CookieUse) -> Self {
        Self {
            limit: region.count,
            memory: region,
            cookies,
        }
    }
}

/// A table's data half.
#[derive(Debug, Clone)]
pub struct TableSlots<M>(M);

impl<M: SlotMemory> Slots for TableSlots<M> {
    #[inline]
    fn slot(&self, index: u32, _engine: u32) -> Option<SlotRef<'_>> {
        self.0.slot(index)
    }
}

impl<M: SlotMemory> Direct for TableSlots<M> {}

impl<M: SlotMemory> Store for Table<M> {
    type Slots = TableSlots<M>;

    fn slots(&self) -> Self::Slots {
        TableSlots(self.memory.clone())
    }

    fn limit(&self) -> u32 {
        self.limit
    }

    fn prepare(&mut self, index: u32, cookie: Cookie) -> Result<(), StoreError> {
        let control = self.cookies.control(cookie)?;
        if index < self.limit {
            self.memory.grow(index + 1);
        }
        let slot = self
            .memory
            .slot(index)
            .filter(|_| index < self.limit)
            .ok_or(StoreError::OutOfRange {
                index,
                limit: self.limit,
            })?;
        slot.prepare(control);
        Ok(())
    }

    fn program(&mut self, index: u32, message: Message) {
        if let Some(slot) = self.memory.slot(index) {
            slot.program(message);
        }
    }

    fn mask(&mut self, index: u32) {
        if let Some(slot) = self.memory.slot(index) {
            slot.mask();
        }
    }

    fn unmask(&mut self, index: u32, effects: &mut Effects) {
        if self.memory.slot(index).is_some_and(|slot| slot.unmask()) {
            effects.replay.push(index);
        }
    }

    fn freeze(&mut self, index: u32) {
        if let Some(slot) = self.memory.slot(index) {
            slot.freeze();
        }
    }

    fn thaw(&mut self, index: u32, effects: &mut Effects) {
        if self.memory.slot(index).is_some_and(|slot| slot.thaw()) {
            effects.replay.push(index);
        }
    }

    fn clear(&mut self, index: u32, effects: &mut Effects) {
        if self.memory.slot(index).is_some_and(|slot| slot.clear()) {
            effects.dropped.push(index);
        }
    }

    fn release(&mut self, index: u32) {
        if let Some(slot) = self.memory.slot(index) {
            slot.scrub();
        }
    }
}
