// SPDX-License-Identifier: Apache-2.0 OR MIT
//! MSI-X of a function whose client has the triggers.
//!
//! An interrupt goes out as the eventfd that the client set for the vector. What the
//! table holds is the client's: a VMM that keeps the table itself shows its guest
//! none of this one, and never writes here; it masks by itself. So an entry's mask
//! counts from the first time on that its control word was written since the reset,
//! although it reads as masked before that.
//!
//! ```text
//!   raise ──▶ pending ──▶ masked, function masked, bus mastering off: stays
//!                │                   │ the last of these goes
//!                ▼                   ▼
//!             taken by one ──▶ eventfd; without one pending again
//! ```
//! A message is a memory write, so none goes out without bus mastering.
//!
//! Source: PCI Express Base 6.0, 6.1.4 and 7.7.2.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering, fence};

use ims_vfio::Function;
use ims_vfio::layout::irq;
use ims_vfio::pci::MsixControl;
use ims_vfio::pci::layout::msix;

use super::words::words;
use crate::vectors::Vectors;

/// Vector control: the vector is masked (7.7.2.9).
const MASK: u32 = 1;
/// Words of an entry before vector control: address low and high, data.
const MESSAGE_WORDS: usize = 3;
const _: () = assert!(msix::ENTRY == 4 * (MESSAGE_WORDS as u64 + 1));

/// Bits of an entry's state.
mod state {
    /// Its mask is set.
    pub(super) const MASKED: u8 = 1 << 0;
    /// Its control word was written since the reset.
    pub(super) const SHOWN: u8 = 1 << 1;
    /// It was raised and not signalled.
    pub(super) const PENDING: u8 = 1 << 2;
}

#[derive(Debug)]
struct Entry {
    message: [AtomicU32; MESSAGE_WORDS],
    state: AtomicU8,
    signalled: AtomicU64,
}

impl Default for Entry {
    fn default() -> Self {
        Self {
            message: Default::default(),
            state: AtomicU8::new(state::MASKED),
            signalled: AtomicU64::new(0),
        }
    }
}

/// The vectors of one function.
///
/// # Concurrency
/// All methods on any thread, without a lock.
#[derive(Debug)]
pub struct ClientVectors {
    entries: Box<[Entry]>,
    function: Arc<Function>,
}

impl ClientVectors {
    /// `count` vectors that `function` signals.
    pub(super) fn new(count: u16, function: Arc<Function>) -> Self {
        Self {
            entries: (0..count).map(|_| Entry::default()).collect(),
            function,
        }
    }

    /// How many times each vector was signalled. For statistics.
    pub fn signalled(&self) -> impl Iterator<Item = u64> {
        let count = |entry: &Entry| entry.signalled.load(Ordering::Relaxed);
        self.entries.iter().map(count)
    }

    /// Reads from byte `offset` of the table; words only, anything else is zero.
    pub(super) fn read_table(&self, offset: u64, into: &mut [u8]) {
        words(offset, into, |word, bytes| {
            bytes.copy_from_slice(&self.table_word(word).to_le_bytes());
        });
    }

    /// Writes from byte `offset` of the table, words only.
    pub(super) fn write_table(&self, offset: u64, from: &[u8]) {
        let mut bytes = from.to_vec();
        words(offset, &mut bytes, |word, bytes| {
            if let Ok(bytes) = <[u8; 4]>::try_from(&*bytes) {
                self.write_table_word(word, u32::from_le_bytes(bytes));
            }
        });
    }

    /// Reads from byte `offset` of the pending bits; words only.
    pub(super) fn read_pending(&self, offset: u64, into: &mut [u8]) {
        words(offset, into, |word, bytes| {
            let first = usize::try_from(word.saturating_mul(32)).unwrap_or(usize::MAX);
            let entries = self.entries.iter().skip(first);
            let bits = (0..32).zip(entries).fold(0_u32, |bits, (bit, entry)| {
                // Acquire: who sees the bit sees what the raiser wrote before.
                let state = entry.state.load(Ordering::Acquire);
                bits | u32::from(state & state::PENDING != 0) << bit
            });
            bytes.copy_from_slice(&bits.to_le_bytes());
        });
    }

    fn entry(&self, index: u64) -> Option<&Entry> {
        self.entries.get(usize::try_from(index).ok()?)
    }

    fn table_word(&self, word: u64) -> u32 {
        let (index, at) = entry_word(word);
        let Some(entry) = self.entry(index) else {
            return 0;
        };
        match entry.message.get(at) {
            Some(word) => word.load(Ordering::Relaxed),
            None => u32::from(entry.state.load(Ordering::Relaxed) & state::MASKED),
        }
    }

    fn write_table_word(&self, word: u64, value: u32) {
        let (index, at) = entry_word(word);
        let Some(entry) = self.entry(index) else {
            return;
        };
        if let Some(word) = entry.message.get(at) {
            return word.store(value, Ordering::Relaxed);
        }
        if value & MASK != 0 {
            let set = state::SHOWN | state::MASKED;
            entry.state.fetch_or(set, Ordering::AcqRel);
        } else {
            entry.state.fetch_or(state::SHOWN, Ordering::AcqRel);
            entry.state.fetch_and(!state::MASKED, Ordering::AcqRel);
            self.settle(index, entry);
        }
    }

    /// Whether the function holds all of them back.
    fn is_held(&self) -> bool {
        let config = &self.function.config;
        let control = config.msix();
        !config.bus_master() || control.enabled && control.masked
    }

    /// Signals what is pending, unless something holds it back.
    fn settle(&self, index: u64, entry: &Entry) {
        let mut had = entry.state.load(Ordering::Acquire);
        loop {
            let masked = had & state::SHOWN != 0 && had & state::MASKED != 0;
            if had & state::PENDING == 0 || masked || self.is_held() {
                return;
            }
            let taken = entry.state.compare_exchange_weak(
                had,
                had & !state::PENDING,
                Ordering::AcqRel,
                Ordering::Acquire,
            );
            match taken {
                Ok(_) => return self.signal(index, entry),
                Err(now) => had = now,
            }
        }
    }

    fn signal(&self, index: u64, entry: &Entry) {
        let Ok(vector) = u32::try_from(index) else {
            return;
        };
        // A device's thread that a client holds in its eventfd would be missing to the
        // reset that takes the device away from that client.
        match self.function.irqs.trigger_unheld(irq::MSIX, vector) {
            Ok(_) => {
                entry.signalled.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                // It goes out with the next one that has a trigger.
                entry.state.fetch_or(state::PENDING, Ordering::Release);
                tracing::debug!(vector, %error, "no trigger for an interrupt");
            }
        }
    }

    /// The function mask, or bus mastering, may let them go now.
    pub(super) fn settle_all(&self) {
        // After what changed in config space, and before a look at what is pending; a
        // raise does it the other way round, so one of the two sees the other.
        fence(Ordering::SeqCst);
        for (index, entry) in (0..).zip(&self.entries) {
            self.settle(index, entry);
        }
    }

    /// What the client made of MSI-X. Without it nothing stays pending: whoever
    /// enables it next waits for nothing of before.
    pub(super) fn control(&self, control: MsixControl) {
        if control.enabled {
            self.settle_all();
        } else {
            for entry in &self.entries {
                entry.state.fetch_and(!state::PENDING, Ordering::AcqRel);
            }
        }
    }

    /// As after power-on; counts go on.
    pub(super) fn reset(&self) {
        for entry in &self.entries {
            for word in &entry.message {
                word.store(0, Ordering::Relaxed);
            }
            entry.state.store(state::MASKED, Ordering::Release);
        }
    }
}

impl Vectors for ClientVectors {
    fn count(&self) -> u16 {
        u16::try_from(self.entries.len()).unwrap_or(u16::MAX)
    }

    fn raise(&self, vector: u16) {
        let index = vector.into();
        if let Some(entry) = self.entry(index) {
            // Release: what the caller wrote is there for who sees the bit.
            entry.state.fetch_or(state::PENDING, Ordering::AcqRel);
            fence(Ordering::SeqCst);
            self.settle(index, entry);
        }
    }
}

/// Which entry a word of the table is of, and which of its words it is.
fn entry_word(word: u64) -> (u64, usize) {
    let words = msix::ENTRY / 4;
    (word / words, usize::try_from(word % words).unwrap_or(0))
}

#[cfg(all(test, not(loom)))]
mod tests;
