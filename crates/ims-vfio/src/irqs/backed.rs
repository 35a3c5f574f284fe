// SPDX-License-Identifier: Apache-2.0 OR MIT
//! IMS-backed vectors: trigger, slot, cookie, handle.

mod mask;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ims::store::Cookie;

use super::backing::{Backed, Backing, BackingError, Signal};
use super::patience::Patience;
use super::trigger::Trigger;
use super::wire::Wire;

/// Names the interrupt of the host behind a vector, until it is freed or revoked.
///
/// What a device gives its driver as an interrupt handle is for the device to
/// say; this is what it keeps beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Handle {
    vector: u32,
    index: u32,
    stamp: u64,
}

impl Handle {
    /// The vector it was asked for.
    pub fn vector(&self) -> u32 {
        self.vector
    }

    /// The host's index at that time; for whoever does not want to look twice,
    /// and watches the generation.
    pub fn index(&self) -> u32 {
        self.index
    }
}

/// A slot of the host, and the generation it came with.
struct Slot {
    backed: Box<dyn Backed>,
    stamp: u64,
}

/// What a vector has from its first trigger until it has none. The handlers of
/// its slots hold the wire, so that one which comes late finds the trigger of its
/// own time, or none, and never that of a later client.
struct Assigned {
    wire: Arc<Wire>,
    /// `None` while the handle is revoked.
    slot: Option<Slot>,
    /// The index of the slot that was revoked last.
    former: Option<u32>,
}

/// One IMS-backed vector that was ever touched.
#[derive(Default)]
struct Vector {
    cookie: Option<Cookie>,
    assigned: Option<Assigned>,
    awaiting: bool,
    /// A raise is kept here: it was saved, or its slot went while it was masked.
    owed: bool,
    /// Raises are kept, whatever slot there is.
    masked: bool,
}

impl Vector {
    fn slot(&self) -> Option<&Slot> {
        self.assigned.as_ref()?.slot.as_ref()
    }

    /// Whether an interrupt is kept, here or in the slot.
    fn is_pending(&self) -> bool {
        self.owed || self.slot().is_some_and(|slot| slot.backed.is_pending())
    }
}

/// The IMS-backed vectors of a device; the lock around it is the caller's.
pub(super) struct BackedVectors {
    backing: Arc<dyn Backing>,
    generation: Arc<AtomicU64>,
    patience: Arc<Patience>,
    vectors: BTreeMap<u32, Vector>,
}

/// What is saved of a vector.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct SavedVector {
    pub(super) cookie: Option<Cookie>,
    pub(super) triggered: bool,
    pub(super) owed: bool,
}

impl BackedVectors {
    pub(super) fn new(
        backing: Arc<dyn Backing>,
        generation: Arc<AtomicU64>,
        patience: Arc<Patience>,
    ) -> Self {
        Self {
            backing,
            generation,
            patience,
            vectors: BTreeMap::new(),
        }
    }

    fn bump(&self) -> u64 {
        // weaken: no model; whoever sees it move asks again under the lock
        self.generation.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// An interrupt of the host for the vector, masked if that is.
    fn alloc(&self, vector: u32, wire: &Arc<Wire>) -> Result<Box<dyn Backed>, BackingError> {
        let vector = self.vectors.get(&vector);
        let cookie = vector.and_then(|vector| vector.cookie);
        let signal = Signal::new(Arc::clone(wire));
        let backed = self.backing.alloc(cookie, signal)?;
        if vector.is_some_and(|vector| vector.masked) {
            // Before anybody knows its index.
            backed.set_masked(true);
        }
        Ok(backed)
    }

    fn slot(&self, backed: Box<dyn Backed>) -> Slot {
        let stamp = self.bump();
        Slot { backed, stamp }
    }

    /// The cookie of the next allocation.
    pub(super) fn set_cookie(&mut self, vector: u32, cookie: Option<Cookie>) {
        self.vectors.entry(vector).or_default().cookie = cookie;
    }

    /// Whether the vector was ever touched.
    pub(super) fn is_used(&self, vector: u32) -> bool {
        self.vectors.contains_key(&vector)
    }

    /// Gives the vector a trigger. One that has a trigger keeps slot and handle;
    /// one that has none gets a slot.
    pub(super) fn set(&mut self, vector: u32, trigger: Trigger) -> Result<(), BackingError> {
        if let Some(assigned) = self.assigned(vector) {
            assigned.wire.replace(Some(trigger), &self.patience);
            return Ok(());
        }
        let wire = Arc::new(Wire::new(trigger));
        let slot = self.slot(self.alloc(vector, &wire)?);
        let vector = self.vectors.entry(vector).or_default();
        vector.awaiting = false;
        if !vector.masked && std::mem::take(&mut vector.owed) {
            wire.signal_unheld();
        }
        vector.assigned = Some(Assigned {
            wire,
            slot: Some(slot),
            former: None,
        });
        Ok(())
    }

    /// Takes the vector's trigger away, and frees what stands behind it.
    pub(super) fn clear(&mut self, vector: u32) {
        let Some(vector) = self.vectors.get_mut(&vector) else {
            return;
        };
        vector.awaiting = false;
        vector.owed = false;
        if let Some(assigned) = vector.assigned.take() {
            assigned.wire.replace(None, &self.patience);
            if let Some(slot) = assigned.slot {
                // What was pending has lost the one who wanted to know.
                let _ = slot.backed.free();
                self.bump();
            }
        }
    }

    /// Clears every vector.
    pub(super) fn clear_all(&mut self) {
        let all: Vec<_> = self.vectors.keys().copied().collect();
        for vector in all {
            self.clear(vector);
        }
    }

    /// Signals the vector's trigger if there is one.
    pub(super) fn loopback(&self, vector: u32) {
        if let Some(assigned) = self.assigned(vector) {
            assigned.wire.signal_unheld();
        }
    }

    fn assigned(&self, vector: u32) -> Option<&Assigned> {
        self.vectors.get(&vector)?.assigned.as_ref()
    }

    fn assigned_mut(&mut self, vector: u32) -> Option<&mut Assigned> {
        self.vectors.get_mut(&vector)?.assigned.as_mut()
    }

    /// Whether the vector has a trigger.
    pub(super) fn is_set(&self, vector: u32) -> bool {
        self.assigned(vector).is_some()
    }

    /// The host's index behind the vector.
    pub(super) fn index(&self, vector: u32) -> Option<u32> {
        let slot = self.assigned(vector)?.slot.as_ref()?;
        Some(slot.backed.index())
    }

    /// The vector's handle; allocates if it was revoked. `None` if the vector has
    /// no trigger.
    pub(super) fn handle(&mut self, vector: u32) -> Result<Option<Handle>, BackingError> {
        let Some(assigned) = self.assigned(vector) else {
            return Ok(None);
        };
        if assigned.slot.is_none() {
            let (wire, former) = (Arc::clone(&assigned.wire), assigned.former);
            let mut backed = self.alloc(vector, &wire)?;
            // A driver that asks again looks whether the number is another one. Held
            // while the next is taken, the former one is not that; without a next one
            // it has to do.
            if former == Some(backed.index())
                && let Ok(other) = self.alloc(vector, &wire)
            {
                let former = std::mem::replace(&mut backed, other);
                self.free(vector, former);
            }
            let slot = self.slot(backed);
            if let Some(assigned) = self.assigned_mut(vector) {
                assigned.slot = Some(slot);
            }
        }
        Ok(self
            .assigned(vector)
            .and_then(|assigned| assigned.slot.as_ref())
            .map(|slot| Handle {
                vector,
                index: slot.backed.index(),
                stamp: slot.stamp,
            }))
    }

    /// The host's index a handle names, if it still names one.
    pub(super) fn resolve(&self, handle: Handle) -> Option<u32> {
        let slot = self.assigned(handle.vector)?.slot.as_ref()?;
        (slot.stamp == handle.stamp).then(|| slot.backed.index())
    }

    /// Frees the slot behind the vector and keeps its trigger; says whether there
    /// was a slot. What the slot kept pending is signalled now, or kept here if the
    /// vector is masked.
    pub(super) fn revoke(&mut self, vector: u32) -> bool {
        let Some(assigned) = self.assigned_mut(vector) else {
            return false;
        };
        let Some(slot) = assigned.slot.take() else {
            return false;
        };
        assigned.former = Some(slot.backed.index());
        self.free(vector, slot.backed);
        self.bump();
        true
    }

    /// Frees a slot whose vector keeps its trigger. What it kept pending is the
    /// vector's.
    fn free(&mut self, vector: u32, backed: Box<dyn Backed>) {
        if backed.free() {
            self.signal(vector);
        }
    }

    /// Signals the vector's trigger if there is one; while the vector is masked, that
    /// is kept here.
    pub(super) fn signal(&mut self, vector: u32) {
        let Some(vector) = self.vectors.get_mut(&vector) else {
            return;
        };
        match &vector.assigned {
            Some(_) if vector.masked => vector.owed = true,
            Some(assigned) => {
                assigned.wire.signal_unheld();
            }
            None => {}
        }
    }

    /// Revokes every handle; says how many there were.
    pub(super) fn revoke_all(&mut self) -> u32 {
        let all: Vec<_> = self.vectors.keys().copied().collect();
        all.into_iter()
            .map(|vector| u32::from(self.revoke(vector)))
            .sum()
    }

    /// What there is to save, in order.
    pub(super) fn save(&self) -> impl Iterator<Item = (u32, SavedVector)> {
        self.vectors.iter().map(|(&number, vector)| {
            let saved = SavedVector {
                cookie: vector.cookie,
                triggered: vector.awaiting || vector.assigned.is_some(),
                owed: vector.is_pending(),
            };
            (number, saved)
        })
    }

    /// Has cookies and what is owed as they were saved; those that are not named
    /// have neither.
    pub(super) fn restore(&mut self, saved: &BTreeMap<u32, SavedVector>) {
        for vector in self.vectors.values_mut() {
            vector.cookie = None;
            vector.awaiting = false;
            vector.owed = false;
        }
        for (&number, saved) in saved {
            let vector = self.vectors.entry(number).or_default();
            vector.cookie = saved.cookie;
            match &vector.assigned {
                Some(_) if saved.owed && vector.masked => vector.owed = true,
                Some(assigned) if saved.owed => {
                    assigned.wire.signal_unheld();
                }
                Some(_) => {}
                None => {
                    vector.awaiting = saved.triggered;
                    vector.owed = saved.owed;
                }
            }
        }
    }
}

impl Drop for BackedVectors {
    fn drop(&mut self) {
        // Handlers that still come find no trigger.
        self.clear_all();
    }
}
