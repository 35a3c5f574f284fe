// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The MSI-X table and pending bits that a guest sees, where its client shows them.
//!
//! ```text
//!   client keeps the table  (QEMU)        only MSI-X enable and function mask come
//!   client passes stores on               entries come here: addresses are kept to be
//!                                         read back, masks are mirrored
//!                                              │
//!   vector 0: pending here, raised at unmask ◀─┴─▶ others: the mask of their slot
//! ```
//!
//! After a reset every entry is masked (PCI 7.7.2.4) until its guest unmasks it. A
//! client that keeps the table does not show that, and gives triggers all the same.
//! So an entry's mask counts from the first store to that entry on, and MSI-X being
//! off counts once it was on; before, a trigger is all it takes. The function mask
//! counts always.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ims_vfio::irqs::Irqs;
use ims_vfio::layout::irq;
use ims_vfio::pci::MsixControl;

use crate::front::map::{MSIX_PENDING, MSIX_TABLE};

/// Words of an entry: address (2), data, control (PCI 7.7.2).
const WORDS: u32 = 4;
/// The word with the mask, and the mask in it.
const CONTROL: u32 = 3;
const MASK: u32 = 1;

/// The vector that software raises.
pub(super) const MISCELLANEOUS: u32 = 0;

/// An entry of the table, as stored.
#[derive(Debug, Clone, Copy)]
struct Entry {
    words: [u32; 3],
    masked: bool,
    /// The client passes stores to this entry on.
    shown: bool,
}

impl Default for Entry {
    fn default() -> Self {
        Self {
            words: [0; 3],
            masked: true,
            shown: false,
        }
    }
}

#[derive(Debug, Default)]
struct State {
    /// None before the first store: most clients keep the table.
    entries: Box<[Entry]>,
    control: MsixControl,
    /// MSI-X was on since the last reset.
    was_enabled: bool,
    /// Vector 0 keeps an interrupt.
    pending: bool,
}

impl State {
    fn function_masked(&self) -> bool {
        self.control.masked || self.was_enabled && !self.control.enabled
    }

    fn masked(&self, vector: u32) -> bool {
        let entry = usize::try_from(vector).ok();
        let entry = entry.and_then(|vector| self.entries.get(vector));
        self.function_masked() || entry.is_some_and(|entry| entry.shown && entry.masked)
    }
}

/// What became of vector 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Counts {
    pub(super) raised: u64,
    pub(super) delivered: u64,
    pub(super) coalesced: u64,
    pub(super) held: u64,
    pub(super) dropped: u64,
}

#[derive(Debug, Default)]
struct Counters {
    raised: AtomicU64,
    delivered: AtomicU64,
    coalesced: AtomicU64,
    held: AtomicU64,
    dropped: AtomicU64,
}

/// The MSI-X table of a virtual device.
///
/// # Concurrency
/// All methods on any thread. A raise takes a lock for a moment, under which nothing
/// is called; changes of masks are carried out one after the other.
#[derive(Debug)]
pub(super) struct Msix {
    vectors: u32,
    state: Mutex<State>,
    /// Held from a change of masks until the slots have it, so that the last change
    /// is the one they have.
    change: Mutex<()>,
    counters: Counters,
}

/// A counter that nothing is ordered by.
fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Msix {
    pub(super) fn new(vectors: u16) -> Self {
        Self {
            vectors: vectors.into(),
            state: Mutex::default(),
            change: Mutex::default(),
            counters: Counters::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self) -> MutexGuard<'_, ()> {
        self.change.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Raises vector 0.
    pub(super) fn raise(&self, irqs: &Irqs) {
        count(&self.counters.raised);
        {
            let mut state = self.state();
            if state.masked(MISCELLANEOUS) {
                let met = std::mem::replace(&mut state.pending, true);
                count(if met {
                    &self.counters.coalesced
                } else {
                    &self.counters.held
                });
                return;
            }
        }
        self.signal(irqs);
    }

    fn signal(&self, irqs: &Irqs) {
        // This may be an engine's thread, which is everybody's, or the server's: its
        // client cannot hold it. Without a trigger nobody asked; INTCAUSE keeps why it
        // was raised.
        let signalled = irqs.trigger_unheld(irq::MSIX, MISCELLANEOUS);
        count(if signalled.is_ok() {
            &self.counters.delivered
        } else {
            &self.counters.dropped
        });
    }

    /// The client enabled, disabled, masked or unmasked MSI-X as a whole.
    pub(super) fn control(&self, control: MsixControl, irqs: &Irqs) {
        let changing = self.change();
        let flush = {
            let mut state = self.state();
            state.control = control;
            state.was_enabled |= control.enabled;
            self.flush(&mut state)
        };
        self.mirror(0..self.vectors, irqs);
        drop(changing);
        if flush {
            self.signal(irqs);
        }
    }

    /// Whether vector 0 keeps what may be raised now.
    fn flush(&self, state: &mut State) -> bool {
        !state.masked(MISCELLANEOUS) && std::mem::take(&mut state.pending)
    }

    /// Gives the slots of IMS-backed vectors the masks they should have.
    fn mirror(&self, vectors: std::ops::Range<u32>, irqs: &Irqs) {
        for vector in vectors.filter(|vector| *vector != MISCELLANEOUS) {
            let masked = self.state().masked(vector);
            if let Err(error) = irqs.set_masked(vector, masked) {
                tracing::error!(vector, %error, "a vector could not be masked");
            }
        }
    }

    /// The vector and word of a place in the table.
    fn place(&self, offset: u64) -> Option<(u32, u32)> {
        let word = u32::try_from(offset.checked_sub(MSIX_TABLE)? / 4).ok()?;
        let vector = word / WORDS;
        (vector < self.vectors).then_some((vector, word % WORDS))
    }

    /// Stores a word of the table; pending bits, and what else there is, are
    /// read-only.
    pub(super) fn write(&self, offset: u64, value: u32, irqs: &Irqs) {
        let Some((vector, word)) = self.place(offset) else {
            return;
        };
        let changing = self.change();
        let (flush, mirror) = {
            let mut state = self.state();
            if state.entries.is_empty() {
                state.entries = (0..self.vectors).map(|_| Entry::default()).collect();
            }
            let before = state.masked(vector);
            let at = usize::try_from(vector).ok();
            if let Some(entry) = at.and_then(|at| state.entries.get_mut(at)) {
                entry.shown = true;
                let at = usize::try_from(word).ok();
                match at.and_then(|at| entry.words.get_mut(at)) {
                    Some(word) => *word = value,
                    None => entry.masked = value & MASK != 0,
                }
            }
            (self.flush(&mut state), before != state.masked(vector))
        };
        if mirror {
            self.mirror(vector..vector.saturating_add(1), irqs);
        }
        drop(changing);
        if flush {
            self.signal(irqs);
        }
    }

    /// Reads a word of the table or of the pending bits; zero elsewhere.
    pub(super) fn read(&self, offset: u64, irqs: &Irqs) -> u32 {
        if let Some((vector, word)) = self.place(offset) {
            let state = self.state();
            let entry = usize::try_from(vector).ok();
            let entry = entry.and_then(|at| state.entries.get(at).copied());
            let entry = entry.unwrap_or_default();
            return match usize::try_from(word) {
                Ok(at) if word != CONTROL => entry.words.get(at).copied().unwrap_or(0),
                _ => u32::from(entry.masked),
            };
        }
        let Some(bits) = offset.checked_sub(MSIX_PENDING) else {
            return 0;
        };
        let first = (bits / 4).saturating_mul(32);
        let first = u32::try_from(first).unwrap_or(u32::MAX);
        (0..32).fold(0, |word, bit| {
            let vector = first.saturating_add(bit);
            let pending = vector < self.vectors && self.is_pending(vector, irqs);
            word | u32::from(pending) << bit
        })
    }

    /// Whether a vector keeps an interrupt.
    pub(super) fn is_pending(&self, vector: u32, irqs: &Irqs) -> bool {
        if vector == MISCELLANEOUS {
            return self.state().pending;
        }
        irqs.is_pending(vector).unwrap_or(false)
    }

    /// Whether a vector is masked, as far as the client shows.
    pub(super) fn is_masked(&self, vector: u32) -> bool {
        self.state().masked(vector)
    }

    /// What became of vector 0.
    pub(super) fn counts(&self) -> Counts {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            raised: get(&self.counters.raised),
            delivered: get(&self.counters.delivered),
            coalesced: get(&self.counters.coalesced),
            held: get(&self.counters.held),
            dropped: get(&self.counters.dropped),
        }
    }

    /// The function was reset: all as after power-on, nothing kept.
    pub(super) fn reset(&self, irqs: &Irqs) {
        let changing = self.change();
        let kept = std::mem::take(&mut *self.state());
        if kept.pending {
            count(&self.counters.dropped);
        }
        self.mirror(0..self.vectors, irqs);
        drop(changing);
    }
}

#[cfg(test)]
mod tests;
