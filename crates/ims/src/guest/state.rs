// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Saving and restoring what a guest has programmed into its store, and what it
//! is owed.

use alloc::vec::Vec;

use super::layout::{MASK, PENDING};
use super::store::Store;
use crate::message::Message;
use crate::sink::MessageSink;

/// All of a store that is not fixed when the device is made; plain numbers, for
/// whoever writes them down.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StoreState {
    /// How many slots the store has.
    pub slots: u32,
    /// Whether they send.
    pub enabled: bool,
    /// The slots that are not as after reset, by ascending number.
    pub programmed: Vec<SlotState>,
}

/// A slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SlotState {
    /// Its number.
    pub slot: u32,
    /// Address and data.
    pub message: Message,
    /// Control as the guest reads it: mask and pending; nothing else.
    pub control: u32,
}

/// Why a state was not restored; nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// It is that of another store.
    #[error("the state is of a store of {saved} slots, this one has {slots}; make it as the saved")]
    Slots {
        /// Slots of the saved store.
        saved: u32,
        /// Slots of this one.
        slots: u32,
    },
    /// A slot does not exist, or comes twice or out of order.
    #[error("slot {slot} is out of order in the state, or beyond its end; it is damaged")]
    Slot {
        /// The slot.
        slot: u32,
    },
    /// Control has bits that a guest never reads.
    #[error("slot {slot} has control {control:#x} in the state; only bits 0 and 1 may be set")]
    Control {
        /// The slot.
        slot: u32,
        /// Its control.
        control: u32,
    },
}

impl StoreState {
    /// # Errors
    /// If a store with `slots` slots cannot have this state.
    fn check(&self, slots: u32) -> Result<(), RestoreError> {
        if self.slots != slots {
            let saved = self.slots;
            return Err(RestoreError::Slots { saved, slots });
        }
        let mut next = 0;
        for &SlotState { slot, control, .. } in &self.programmed {
            if slot < next || slot >= slots {
                return Err(RestoreError::Slot { slot });
            }
            if control & !(MASK | PENDING) != 0 {
                return Err(RestoreError::Control { slot, control });
            }
            next = slot.saturating_add(1);
        }
        Ok(())
    }
}

impl<K: MessageSink> Store<K> {
    /// The state now. A raise that comes at the same time is in it as pending, or
    /// is not in it at all: stop the device first.
    pub fn save(&self) -> StoreState {
        let slots = self.port.entries().touched().map(|(slot, entry)| {
            let contents = entry.contents();
            SlotState {
                slot,
                message: contents.message,
                control: contents.control & (MASK | PENDING),
            }
        });
        let fresh =
            |state: &SlotState| state.message == Message::default() && state.control == MASK;
        StoreState {
            slots: self.slots(),
            enabled: self.enabled(),
            programmed: slots.filter(|state| !fresh(state)).collect(),
        }
    }

    /// Takes over a saved state, whatever this one was. What is pending in it stays
    /// so, or is sent before this returns if its slot is not held back; what was
    /// pending here is dropped.
    ///
    /// # Errors
    /// The state is none that this store can have; nothing changed.
    pub fn restore(&mut self, state: &StoreState) -> Result<(), RestoreError> {
        state.check(self.slots())?;
        // Disabled until all is in place.
        self.reset();
        for saved in &state.programmed {
            let Some(entry) = self.port.entries().touch(saved.slot) else {
                continue;
            };
            if entry.replace(saved.message, saved.control & MASK != 0) {
                // Raised between the reset and now.
                entry.record.count_dropped();
            }
            if saved.control & PENDING != 0 {
                entry.record.count_raised();
                let _ = self.port.deliver(entry);
            }
        }
        self.set_enabled(state.enabled);
        Ok(())
    }
}
