// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Saving and restoring what a guest has programmed, and what it is owed.

use alloc::vec::Vec;

use super::control::Msix;
use super::layout::{ENABLE, FUNCTION_MASK, PBA_WORD_VECTORS, TABLE_SIZE, VECTOR_MASK};
use crate::message::Message;
use crate::sink::MessageSink;
use crate::store::layout::MASK;

/// All of a guest's MSI-X that is not fixed when the device is made; plain
/// numbers, for whoever writes them down.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MsixState {
    /// Message control: enable, function mask and table size; nothing else.
    pub message_control: u16,
    /// The table, an entry for each vector.
    pub entries: Vec<EntryState>,
    /// The pending-bit array: a bit for each vector, none beyond.
    pub pending: Vec<u64>,
}

/// A table entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EntryState {
    /// Address and data.
    pub message: Message,
    /// Vector control: the mask bit; nothing else.
    pub vector_control: u32,
}

/// Why a state was not restored; nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// The table is that of another device.
    #[error("the state has {saved} table entries, this MSI-X has {vectors}; make it as the saved")]
    Entries {
        /// Entries in the state.
        saved: usize,
        /// Vectors of this MSI-X.
        vectors: u16,
    },
    /// The pending-bit array is.
    #[error("the state has {saved} words of pending bits, {expected} are needed")]
    PendingWords {
        /// Words in the state.
        saved: usize,
        /// Words this MSI-X has.
        expected: u16,
    },
    /// A vector is pending that does not exist.
    #[error("the state has bits set beyond the last of {vectors} vectors; it is damaged")]
    PendingBeyond {
        /// Vectors of this MSI-X.
        vectors: u16,
    },
    /// Message control has another table size, or reserved bits.
    #[error(
        "message control is {control:#06x} in the state; only enable (bit 15) and function mask \
         (bit 14) may be set above table size {table_size:#05x}"
    )]
    MessageControl {
        /// Message control in the state.
        control: u16,
        /// The table size it must have.
        table_size: u16,
    },
    /// Vector control has reserved bits.
    #[error("vector {vector} has control {control:#x} in the state; only bit 0 may be set")]
    VectorControl {
        /// The vector.
        vector: usize,
        /// Its vector control.
        control: u32,
    },
}

impl MsixState {
    /// # Errors
    /// If an MSI-X with `vectors` vectors cannot have this state.
    fn check(&self, vectors: u16) -> Result<(), RestoreError> {
        let saved = self.entries.len();
        if saved != usize::from(vectors) {
            return Err(RestoreError::Entries { saved, vectors });
        }
        let expected = vectors.div_ceil(PBA_WORD_VECTORS);
        let saved = self.pending.len();
        if saved != usize::from(expected) {
            return Err(RestoreError::PendingWords { saved, expected });
        }
        // Bits of the last word that no vector has; none if it is full.
        let used = vectors % PBA_WORD_VECTORS;
        let beyond = if used == 0 { 0 } else { u64::MAX << used };
        if self.pending.last().is_some_and(|last| last & beyond != 0) {
            return Err(RestoreError::PendingBeyond { vectors });
        }
        let control = self.message_control;
        let table_size = vectors.saturating_sub(1) & TABLE_SIZE;
        if control & !(ENABLE | FUNCTION_MASK) != table_size {
            return Err(RestoreError::MessageControl {
                control,
                table_size,
            });
        }
        for (vector, entry) in self.entries.iter().enumerate() {
            let control = entry.vector_control;
            if control & !VECTOR_MASK != 0 {
                return Err(RestoreError::VectorControl { vector, control });
            }
        }
        Ok(())
    }

    /// Whether the bit of a vector is set.
    fn is_pending(&self, vector: usize) -> bool {
        let per_word = usize::from(PBA_WORD_VECTORS);
        let word = self.pending.get(vector / per_word);
        word.is_some_and(|word| word >> (vector % per_word) & 1 == 1)
    }
}

impl<K: MessageSink> Msix<K> {
    /// The state now. A raise that comes at the same time is in it as pending, or
    /// is not in it at all: stop the device first.
    pub fn save(&self) -> MsixState {
        let entries = self.port.entries().made_at_once().iter().map(|entry| {
            let contents = entry.contents();
            EntryState {
                message: contents.message,
                vector_control: contents.control & MASK,
            }
        });
        MsixState {
            message_control: self.message_control(),
            entries: entries.collect(),
            pending: (0..).map_while(|word| self.pending_word(word)).collect(),
        }
    }

    /// Takes over a saved state, whatever this one was. What is pending in it stays
    /// so, or is sent before this returns if its vector is not held back; what was
    /// pending here is dropped.
    ///
    /// # Errors
    /// The state is none that this MSI-X can have; nothing changed.
    pub fn restore(&mut self, state: &MsixState) -> Result<(), RestoreError> {
        state.check(self.config().vectors)?;
        // Disabled until all is in place.
        self.set_control(0);
        let entries = self
            .port
            .entries()
            .made_at_once()
            .iter()
            .zip(&state.entries);
        for (vector, (entry, saved)) in entries.enumerate() {
            let masked = saved.vector_control & VECTOR_MASK != 0;
            if entry.replace(saved.message, masked) {
                entry.record.count_dropped();
            }
            if state.is_pending(vector) {
                entry.record.count_raised();
                let _ = self.port.deliver(entry);
            }
        }
        self.set_control(state.message_control);
        Ok(())
    }
}
