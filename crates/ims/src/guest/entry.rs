// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One entry as an atomic unit, and what happened to it.
//!
//! The words are those of a slot ([`crate::store::layout`]): the address; data and
//! control. *Mask* is the entry's own, *frozen* stands for what holds all of them
//! back (function masked or MSI-X disabled, store disabled), *pending* is an
//! interrupt that is owed. A guest may
//! rewrite an entry at any time, and nobody waits until raisers have left; so
//! where a slot has a PASID, an entry has a generation, which every change of the
//! second word moves on. A raiser that finds the same word before and after it
//! read the address has a whole message.

use super::access::Lanes;
use crate::domain::Record;
use crate::message::Message;
use crate::store::layout::{FROZEN, MASK, PASID_SHIFT, PENDING};
use crate::store::slot::SlotWords;
use crate::store::{Contents, Hold, SlotRef};
use crate::sync::{AtomicU64, Ordering};

/// The control word's place beside the data.
const fn high(control: u32) -> u64 {
    (control as u64) << 32
}

/// The bits of the second word that are the guest's: data and mask.
const GUESTS: u64 = u32::MAX as u64 | high(MASK);
/// One more in the generation, which has the highest bits.
const STEP: u64 = high(1 << PASID_SHIFT);
/// The generation.
const GENERATION: u64 = high(u32::MAX << PASID_SHIFT);

fn sends(word: u64) -> bool {
    Contents::from_words(0, word).sends()
}

/// An entry, on a cache line of its own.
///
/// # Concurrency
/// What writes address, data or mask is the control half's alone; all else may
/// run on any thread.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Entry {
    words: SlotWords,
    pub(crate) record: Record,
}

impl Entry {
    /// An entry after reset: masked, and held back with all others.
    pub(crate) fn new() -> Self {
        Self {
            words: [AtomicU64::new(0), AtomicU64::new(high(MASK | FROZEN))],
            record: Record::default(),
        }
    }

    fn slot(&self) -> SlotRef<'_> {
        SlotRef::from(&self.words)
    }

    /// What the entry holds, for the control half, which alone changes it.
    pub(crate) fn contents(&self) -> Contents {
        self.slot().load()
    }

    /// The two words as a guest reads them.
    pub(crate) fn guest_words(&self) -> [u64; 2] {
        let (address, word) = self.contents().to_words();
        [address, word & GUESTS]
    }

    /// The message, if the entry sends: one that stood there at one moment.
    #[inline]
    pub(crate) fn message(&self) -> Option<Message> {
        let [address, control] = &self.words;
        // Acquire: the address was written before the word that lets it be sent.
        let mut word = control.load(Ordering::Acquire);
        loop {
            if !sends(word) {
                return None;
            }
            // Acquire: who reads an address that was written under a mask sees the
            // mask, or what came after it, in the second look.
            let read = address.load(Ordering::Acquire);
            let now = control.load(Ordering::Acquire);
            if (now ^ word) & !high(PENDING) == 0 {
                return Some(Contents::from_words(read, word).message);
            }
            word = now;
        }
    }

    /// Keeps a raise, unless the entry sends by now ([`Hold::Send`], whose message
    /// may be torn: look again).
    pub(crate) fn hold(&self) -> Hold {
        self.slot().hold()
    }

    /// Keeps a raise though the entry sends: the sink was busy.
    pub(crate) fn hold_for_sink(&self) -> Hold {
        self.slot().hold_for_sink()
    }

    /// Takes a kept raise to send it, if the entry sends and one is kept.
    pub(crate) fn take_pending(&self) -> Option<Message> {
        let [address, control] = &self.words;
        let mut word = control.load(Ordering::Acquire);
        loop {
            if !sends(word) || word & high(PENDING) == 0 {
                return None;
            }
            // Acquire, as for `message`; the exchange is the second look.
            // weaken: a model never reads a store before it is made; Arm may
            let read = address.load(Ordering::Acquire);
            // Acquire: a raise that met the kept one leaves the word as it was.
            match control.compare_exchange_weak(
                word,
                word & !high(PENDING),
                Ordering::Acquire,
                Ordering::Acquire,
            ) {
                Ok(_) => return Some(Contents::from_words(read, word).message),
                Err(now) => word = now,
            }
        }
    }

    /// Whether a raise is kept.
    pub(crate) fn is_pending(&self) -> bool {
        self.slot().is_pending()
    }

    /// Whether it is held back with all others; the control half's alone to ask.
    pub(crate) fn is_frozen(&self) -> bool {
        let [_, control] = &self.words;
        control.load(Ordering::Relaxed) & high(FROZEN) != 0
    }

    /// Writes some bytes of the address.
    pub(crate) fn write_address(&self, lanes: Lanes) {
        let [address, _] = &self.words;
        let merged = lanes.merge(address.load(Ordering::Relaxed));
        // Release: who sees the new address sees the mask it was written under.
        address.store(merged, Ordering::Release);
    }

    /// Writes some bytes of data and vector control in one step. Says whether that
    /// unmasked it with a raise kept, which the caller must deliver now.
    #[must_use = "a pending interrupt that is not delivered is lost"]
    pub(crate) fn write_control(&self, lanes: Lanes) -> bool {
        self.change(|word| word & !GUESTS | lanes.merge(word) & GUESTS)
    }

    /// It is held back with all others.
    pub(crate) fn freeze(&self) {
        // It sends no longer, so there is nothing to deliver.
        let _ = self.change(|word| word | high(FROZEN));
    }

    /// Not any more; the answer is that of [`Entry::write_control`].
    #[must_use = "a pending interrupt that is not delivered is lost"]
    pub(crate) fn thaw(&self) -> bool {
        self.change(|word| word & !high(FROZEN))
    }

    /// Changes the second word. If that lets the entry send, a kept raise is taken
    /// out of it in the same step.
    fn change(&self, change: impl Fn(u64) -> u64) -> bool {
        let [_, control] = &self.words;
        let mut word = control.load(Ordering::Relaxed);
        loop {
            let changed = change(word).wrapping_add(STEP);
            let starts = sends(changed) && !sends(word);
            let kept = starts && word & high(PENDING) != 0;
            let new = if starts {
                changed & !high(PENDING)
            } else {
                changed
            };
            // Release: the message is visible to whoever sees the entry send. The data
            // of a kept raise is acquired by the look that delivers it.
            match control.compare_exchange_weak(word, new, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return kept,
                Err(now) => word = now,
            }
        }
    }

    /// Gives the entry this message and mask, frozen, with nothing kept. Says
    /// whether a raise was kept, which is dropped.
    pub(crate) fn replace(&self, message: Message, masked: bool) -> bool {
        let [address, control] = &self.words;
        let mask = if masked { MASK } else { 0 };
        let rest = high(FROZEN | mask) | u64::from(message.data);
        let mut word = control.load(Ordering::Relaxed);
        loop {
            let new = (word & GENERATION).wrapping_add(STEP) | rest;
            match control.compare_exchange_weak(word, new, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => break,
                Err(now) => word = now,
            }
        }
        // Release: as in `write_address`; control has gone first.
        address.store(message.address, Ordering::Release);
        word & high(PENDING) != 0
    }
}
