// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Slots in context memory: each in the image of a context in host memory, which
//! the device fetches when it raises and caches for the next time.
//!
//! ```text
//!   control   shadow ── sync ──▶ command · mask images, block lines · wait · write · unblock
//!                                                │                          ▲
//!   device    raise ──▶ cache line? ── no ──▶ image in host memory ─────────┘ grace
//! ```
//!
//! How many contexts there will be is not known in advance; images are added as
//! indices are prepared. A sync that fails has changed nothing. After a sync that
//! succeeds no cached copy from before it is used: its lines were blocked, and
//! everyone who had read one, or was about to fill one, has left.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::layout::{FROZEN, MASK};
use super::slot::{SlotWords, unowned};
use super::{Contents, Cookie, CookieUse, Effects, SlotRef, Slots, Store, StoreError};
use crate::grace::Grace;
use crate::message::Message;
use crate::segments::Segments;
use crate::sync::{AtomicU64, Ordering};

mod cache;

use cache::Cache;

/// What the host asks of the device when contexts change.
pub trait ContextCommands: Send + 'static {
    /// Has the device drop what it has cached of these contexts, and waits until
    /// it has.
    ///
    /// # Errors
    /// The device did not; [`StoreError::Command`].
    fn invalidate(&mut self, contexts: &[u32]) -> Result<(), StoreError>;
}

/// A device in this process: the sync itself drops what it has cached.
#[derive(Debug, Clone, Copy, Default)]
pub struct InProcess;

impl ContextCommands for InProcess {
    fn invalidate(&mut self, _contexts: &[u32]) -> Result<(), StoreError> {
        Ok(())
    }
}

/// One context in host memory, as far as interrupts go.
#[derive(Debug)]
struct Image {
    /// The cookie of the interrupt whose slot this is.
    owner: AtomicU64,
    slot: SlotWords,
}

/// What a slot is to hold after the next sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shadow {
    /// Nobody's.
    Unowned,
    /// Somebody's, with these contents.
    Owned {
        cookie: Cookie,
        contents: Contents,
        /// Prepared since the last sync: whatever the image held is another's.
        fresh: bool,
    },
}

/// The control half.
#[derive(Debug)]
pub struct ContextMemory<C = InProcess> {
    slots: ContextSlots,
    commands: C,
    limit: u32,
    cookies: CookieUse,
    /// What each slot holds since the last sync.
    synced: Vec<Shadow>,
    /// What changed since.
    changes: BTreeMap<u32, Shadow>,
}

/// The data half: images, and the device's cache of them.
#[derive(Debug, Clone)]
pub struct ContextSlots {
    images: Arc<Segments<Image>>,
    cache: Arc<Cache>,
}

impl ContextMemory {
    /// Context memory of a device in this process, with room for `lines` cached
    /// contexts and never more than `limit` contexts.
    pub fn new(lines: u32, limit: u32, cookies: CookieUse) -> Self {
        Self::with_commands(lines, limit, cookies, InProcess)
    }
}

impl<C: ContextCommands> ContextMemory<C> {
    /// As [`ContextMemory::new`], for a device that takes commands.
    pub fn with_commands(lines: u32, limit: u32, cookies: CookieUse, commands: C) -> Self {
        let slots = ContextSlots {
            images: Arc::default(),
            cache: Arc::new(Cache::new(lines.max(1))),
        };
        Self {
            slots,
            commands,
            limit,
            cookies,
            synced: Vec::new(),
            changes: BTreeMap::new(),
        }
    }

    /// The cookie in the image of context `index`, as the device reads it.
    pub fn owner(&self, index: u32) -> Option<Cookie> {
        self.slots
            .images
            .get(index)
            .map(|image| Cookie(image.owner.load(Ordering::Relaxed)))
    }

    fn recorded(&self, index: u32) -> Shadow {
        let synced = || self.synced.get(index as usize).copied();
        self.changes
            .get(&index)
            .copied()
            .or_else(synced)
            .unwrap_or(Shadow::Unowned)
    }

    fn record(&mut self, index: u32, shadow: Shadow) {
        self.changes.insert(index, shadow);
    }

    fn change(&mut self, index: u32, change: impl FnOnce(&mut Contents)) {
        let mut shadow = self.recorded(index);
        if let Shadow::Owned { contents, .. } = &mut shadow {
            change(contents);
            self.record(index, shadow);
        }
    }

    /// Writes what was recorded for a quiet slot into its image.
    fn write(&self, index: u32, shadow: Shadow, effects: &mut Effects) {
        let Some(image) = self.slots.images.get(index) else {
            return;
        };
        let slot = SlotRef::from(&image.slot);
        match shadow {
            Shadow::Unowned => {
                if slot.clear() {
                    effects.dropped.push(index);
                }
                slot.scrub();
                image.owner.store(0, Ordering::Relaxed);
            }
            Shadow::Owned {
                cookie,
                contents,
                fresh,
            } => {
                if fresh {
                    if slot.clear() {
                        effects.dropped.push(index);
                    }
                    image.owner.store(cookie.0, Ordering::Relaxed);
                    slot.prepare(contents.control);
                }
                slot.program(contents.message);
                if contents.sends() && slot.unmask() {
                    effects.replay.push(index);
                }
            }
        }
    }
}

impl Slots for ContextSlots {
    #[inline]
    fn slot(&self, index: u32, _engine: u32) -> Option<SlotRef<'_>> {
        self.images
            .get(index)
            .map(|image| SlotRef::from(&image.slot))
    }

    #[inline]
    fn fetch(&self, index: u32, engine: u32) -> Option<Contents> {
        self.cache
            .fetch(index, || self.slot(index, engine).map(|slot| slot.load()))
    }
}

impl<C: ContextCommands> Store for ContextMemory<C> {
    type Slots = ContextSlots;

    fn slots(&self) -> ContextSlots {
        self.slots.clone()
    }

    fn limit(&self) -> u32 {
        self.limit
    }

    fn prepare(&mut self, index: u32, cookie: Cookie) -> Result<(), StoreError> {
        let control = self.cookies.control(cookie)? | MASK;
        if index >= self.limit {
            return Err(StoreError::OutOfRange {
                index,
                limit: self.limit,
            });
        }
        let image = |_| Image {
            owner: AtomicU64::new(0),
            slot: unowned(),
        };
        self.slots.images.grow(index + 1, image);
        if self.synced.len() <= index as usize {
            self.synced.resize(index as usize + 1, Shadow::Unowned);
        }
        let contents = Contents {
            message: Message::default(),
            control,
        };
        let shadow = Shadow::Owned {
            cookie,
            contents,
            fresh: true,
        };
        self.record(index, shadow);
        Ok(())
    }

    fn program(&mut self, index: u32, message: Message) {
        self.change(index, |contents| contents.message = message);
    }

    fn mask(&mut self, index: u32) {
        self.change(index, |contents| contents.control |= MASK);
    }

    fn unmask(&mut self, index: u32, _effects: &mut Effects) {
        self.change(index, |contents| contents.control &= !MASK);
    }

    fn freeze(&mut self, index: u32) {
        self.change(index, |contents| contents.control |= FROZEN);
    }

    fn thaw(&mut self, index: u32, _effects: &mut Effects) {
        self.change(index, |contents| contents.control &= !FROZEN);
    }

    fn clear(&mut self, index: u32, _effects: &mut Effects) {
        self.record(index, Shadow::Unowned);
    }

    fn sync(&mut self, grace: &Grace, effects: &mut Effects) -> Result<(), StoreError> {
        if self.changes.is_empty() {
            return Ok(());
        }
        let contexts: Vec<u32> = self.changes.keys().copied().collect();
        // The only step that can fail comes before anything is changed.
        self.commands.invalidate(&contexts)?;
        for &index in &contexts {
            if let Some(slot) = self.slots.slot(index, 0) {
                slot.mask();
            }
            self.slots.cache.block(index);
        }
        grace.wait();
        let changes = core::mem::take(&mut self.changes);
        for (&index, &shadow) in &changes {
            self.write(index, shadow, effects);
            let shadow = match shadow {
                Shadow::Unowned => Shadow::Unowned,
                Shadow::Owned {
                    cookie, contents, ..
                } => Shadow::Owned {
                    cookie,
                    contents,
                    fresh: false,
                },
            };
            if let Some(synced) = self.synced.get_mut(index as usize) {
                *synced = shadow;
            }
        }
        for index in contexts {
            self.slots.cache.unblock(index);
        }
        Ok(())
    }

    fn revert(&mut self) {
        self.changes.clear();
    }

    fn release(&mut self, _index: u32) {
        // The sync that cleared the slot has scrubbed it: it waited.
    }
}
