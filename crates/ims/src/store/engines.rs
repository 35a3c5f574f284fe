// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Slots in the device's engines: each engine holds its share, or a copy of all.
//!
//! - *Distributed*: slot `i` is in engine `i mod n`, whichever engine raises.
//! - *Replicated*: each engine raises from its own copy, which no other engine's
//!   cache lines share. A write returns when every copy has it; a raise kept in
//!   several copies is delivered once.

use alloc::sync::Arc;

use super::slot::{SlotWords, unowned};
use super::{Cookie, CookieUse, Direct, Effects, SlotRef, Slots, Store, StoreError};
use crate::message::Message;
use crate::segments::Segments;

/// How slots are spread over engines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spread {
    /// Each slot in one engine.
    Distributed,
    /// Each slot in every engine.
    Replicated,
}

/// A store in the engines of a device.
#[derive(Debug)]
pub struct Engines {
    slots: EngineSlots,
    limit: u32,
    cookies: CookieUse,
}

/// The data half: every engine's slots.
#[derive(Debug, Clone)]
pub struct EngineSlots {
    engines: Arc<[Segments<SlotWords>]>,
    count: u32,
    spread: Spread,
}

impl Engines {
    /// Up to `limit` slots over `engines` engines (at least one).
    pub fn new(engines: u32, limit: u32, spread: Spread, cookies: CookieUse) -> Self {
        let count = engines.max(1);
        let engines = (0..count).map(|_| Segments::new()).collect();
        Self {
            slots: EngineSlots {
                engines,
                count,
                spread,
            },
            limit,
            cookies,
        }
    }

    fn each_copy(&self, index: u32) -> impl Iterator<Item = SlotRef<'_>> {
        (0..self.slots.copies()).filter_map(move |engine| self.slots.slot(index, engine))
    }
}

impl EngineSlots {
    /// Which engine holds the slot, and where in it.
    #[inline]
    fn place(&self, index: u32, engine: u32) -> (u32, u32) {
        match self.spread {
            Spread::Distributed => (index % self.count, index / self.count),
            Spread::Replicated => (engine, index),
        }
    }
}

impl Slots for EngineSlots {
    #[inline]
    fn slot(&self, index: u32, engine: u32) -> Option<SlotRef<'_>> {
        let (engine, local) = self.place(index, engine);
        self.engines
            .get(engine as usize)?
            .get(local)
            .map(SlotRef::from)
    }

    fn copies(&self) -> u32 {
        match self.spread {
            Spread::Distributed => 1,
            Spread::Replicated => self.count,
        }
    }
}

impl Direct for EngineSlots {}

impl Store for Engines {
    type Slots = EngineSlots;

    fn slots(&self) -> EngineSlots {
        self.slots.clone()
    }

    fn limit(&self) -> u32 {
        self.limit
    }

    fn prepare(&mut self, index: u32, cookie: Cookie) -> Result<(), StoreError> {
        let control = self.cookies.control(cookie)?;
        if index >= self.limit {
            return Err(StoreError::OutOfRange {
                index,
                limit: self.limit,
            });
        }
        for copy in 0..self.slots.copies() {
            let (engine, local) = self.slots.place(index, copy);
            if let Some(engine) = self.slots.engines.get(engine as usize) {
                engine.grow(local + 1, |_| unowned());
            }
        }
        self.each_copy(index).for_each(|slot| slot.prepare(control));
        Ok(())
    }

    fn program(&mut self, index: u32, message: Message) {
        self.each_copy(index).for_each(|slot| slot.program(message));
    }

    fn mask(&mut self, index: u32) {
        for slot in self.each_copy(index) {
            slot.mask();
        }
    }

    fn unmask(&mut self, index: u32, effects: &mut Effects) {
        let kept = self.each_copy(index).filter(SlotRef::unmask).count();
        note(index, kept, &mut effects.replay, &mut effects.merged);
    }

    fn freeze(&mut self, index: u32) {
        self.each_copy(index).for_each(|slot| slot.freeze());
    }

    fn thaw(&mut self, index: u32, effects: &mut Effects) {
        let kept = self.each_copy(index).filter(SlotRef::thaw).count();
        note(index, kept, &mut effects.replay, &mut effects.merged);
    }

    fn clear(&mut self, index: u32, effects: &mut Effects) {
        let kept = self.each_copy(index).filter(SlotRef::clear).count();
        note(index, kept, &mut effects.dropped, &mut effects.merged);
    }

    fn release(&mut self, index: u32) {
        self.each_copy(index).for_each(|slot| slot.scrub());
    }
}

/// Of several kept raises of one slot, the first counts and the others met it.
fn note(
    index: u32,
    kept: usize,
    first: &mut alloc::vec::Vec<u32>,
    rest: &mut alloc::vec::Vec<u32>,
) {
    if kept > 0 {
        first.push(index);
        rest.extend(core::iter::repeat_n(index, kept - 1));
    }
}
