// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Saving and restoring vectors.

use ims::guest::layout::{MASK, PENDING};
use ims::guest::{SlotState, StoreState};
use ims::message::Message;
use ims::sink::MessageSink;

use super::control::{Control, Vector};
use crate::layout::NO_VECTOR;

/// Vectors, map and registers; plain numbers, for whoever writes them down.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MsiState {
    /// `MsiVecSel`.
    pub selected: u32,
    /// What address and data registers were written.
    pub message: Message,
    /// All vectors.
    pub vectors: Vec<VectorState>,
    /// Which vector an event has: the configuration's, then the queues';
    /// `NO_VECTOR` for none.
    pub map: Vec<u32>,
}

/// A vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct VectorState {
    /// What it sends, if it was configured.
    pub message: Option<Message>,
    /// It keeps its interrupts.
    pub masked: bool,
    /// It has kept one.
    pub pending: bool,
}

/// Why a state was not restored; nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// The device has another number of vectors.
    #[error("the state has {saved} vectors, the device has {vectors}; make it as the saved")]
    Vectors {
        /// In the state.
        saved: usize,
        /// In the device.
        vectors: usize,
    },
    /// Or of events.
    #[error("the state maps {saved} events, the device has {events}; make it as the saved")]
    Map {
        /// In the state.
        saved: usize,
        /// In the device.
        events: usize,
    },
    /// A vector that is not is selected or mapped, or one that no driver can map.
    #[error("vector {vector} of the state cannot be there; it is damaged")]
    Vector {
        /// Which one.
        vector: u32,
    },
}

impl<K: MessageSink + Send + Sync> Control<K> {
    /// The state now. An event that comes at the same time is in it or is not: stop
    /// the device first.
    pub(crate) fn save(&self) -> MsiState {
        let vectors = (0..).zip(&self.vectors).map(|(number, vector)| {
            let slot = self.store.slot(number);
            let message = slot.filter(|_| vector.configured).map(|slot| slot.message);
            VectorState {
                message,
                masked: vector.masked,
                pending: slot.is_some_and(|slot| slot.pending),
            }
        });
        MsiState {
            selected: self.selected,
            message: self.message,
            vectors: vectors.collect(),
            map: self.port.mapped().collect(),
        }
    }

    /// Whether [`Self::restore`] would take it over.
    ///
    /// # Errors
    /// Those of a restore.
    pub(crate) fn check(&self, state: &MsiState) -> Result<(), RestoreError> {
        let (saved, vectors) = (state.vectors.len(), self.vectors.len());
        if saved != vectors {
            return Err(RestoreError::Vectors { saved, vectors });
        }
        let (saved, events) = (state.map.len(), self.port.mapped().len());
        if saved != events {
            return Err(RestoreError::Map { saved, events });
        }
        let there = |vector| vector < self.offer.vectors || vector == NO_VECTOR;
        for (place, &vector) in (0..).zip(&state.map) {
            let mapped = if self.offer.sharing {
                there(vector)
            } else {
                vector == place
            };
            if !mapped {
                return Err(RestoreError::Vector { vector });
            }
        }
        if !there(state.selected) {
            let vector = state.selected;
            return Err(RestoreError::Vector { vector });
        }
        Ok(())
    }

    /// Takes over a saved state, whatever this one was.
    ///
    /// # Errors
    /// The state is none that this device can have; nothing changed.
    pub(crate) fn restore(&mut self, state: &MsiState) -> Result<(), RestoreError> {
        self.check(state)?;
        self.reset();
        (self.selected, self.message) = (state.selected, state.message);
        let slots = (0..).zip(&state.vectors).map(|(slot, vector)| {
            let held = vector.masked || vector.message.is_none();
            let mask = if held { MASK } else { 0 };
            let pending = if vector.pending { PENDING } else { 0 };
            SlotState {
                slot,
                message: vector.message.unwrap_or_default(),
                control: mask | pending,
            }
        });
        for (to, from) in self.vectors.iter_mut().zip(&state.vectors) {
            *to = Vector {
                configured: from.message.is_some(),
                masked: from.masked,
            };
        }
        self.set_map(&state.map);
        let fresh = |slot: &SlotState| slot.control == MASK && slot.message == Message::default();
        let state = StoreState {
            slots: self.offer.vectors,
            enabled: true,
            programmed: slots.filter(|slot| !fresh(slot)).collect(),
        };
        // Made for this very store, so that it fits.
        let _ = self.store.restore(&state);
        Ok(())
    }
}
