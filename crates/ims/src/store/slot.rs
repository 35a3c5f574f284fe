// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One slot as an atomic unit.
//!
//! Two words: the address, and data with control. Everything that decides is in
//! the second; the address is written only while nobody may send, that is before
//! the slot is unmasked for the first time, or after it was masked *and* every
//! raiser that may have read it unmasked has left ([`crate::grace`]). So a raiser
//! that finds the slot unmasked reads an address that belongs to it.

use super::cookie::Pasid;
use super::layout::{FROZEN, IGNORE, MASK, PASID_ENABLE, PASID_SHIFT, PENDING};
use crate::message::Message;
use crate::sync::{AtomicU64, Ordering};

/// A slot's two words, wherever they are.
pub type SlotWords = [AtomicU64; 2];

/// The control word's place beside the data.
const fn high(control: u32) -> u64 {
    (control as u64) << 32
}

/// What a slot holds: a message and its control word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Contents {
    /// Address and data.
    pub message: Message,
    /// Control word ([`super::layout`]).
    pub control: u32,
}

impl Contents {
    /// Puts together what the two words hold.
    pub(crate) fn from_words(address: u64, word: u64) -> Self {
        let [d0, d1, d2, d3, control @ ..] = word.to_le_bytes();
        Self {
            message: Message {
                address,
                data: u32::from_le_bytes([d0, d1, d2, d3]),
            },
            control: u32::from_le_bytes(control),
        }
    }

    /// What the two words hold: address, and data with control.
    pub(crate) fn to_words(self) -> (u64, u64) {
        (
            self.message.address,
            high(self.control) | u64::from(self.message.data),
        )
    }

    /// Whether the slot sends when it is raised.
    pub fn sends(&self) -> bool {
        self.control & (MASK | IGNORE | FROZEN) == 0
    }

    /// Whether `submitter` may name this slot: always, unless the slot has a
    /// PASID and it is another one.
    #[inline]
    pub fn admits(&self, submitter: Option<Pasid>) -> bool {
        self.control & PASID_ENABLE == 0
            || submitter.is_some_and(|pasid| pasid.get() == self.control >> PASID_SHIFT)
    }
}

/// A slot in some memory.
///
/// # Concurrency
/// Every method may run on any thread; what needs the slot to be quiet says so.
#[derive(Debug, Clone, Copy)]
pub struct SlotRef<'a> {
    address: &'a AtomicU64,
    word: &'a AtomicU64,
}

/// What became of an attempt to keep a raise pending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// It is kept; the one who unmasks (or retries) delivers it.
    Kept,
    /// One was kept already: there will be one interrupt for both.
    Met,
    /// The slot sends by now: send this message.
    Send(Message),
    /// The slot is nobody's.
    Unowned,
}

impl<'a> SlotRef<'a> {
    /// The slot made of these words.
    pub fn new(address: &'a AtomicU64, word: &'a AtomicU64) -> Self {
        Self { address, word }
    }

    /// What the slot holds. Message and control belong together if the slot
    /// sends; a masked slot may be under change.
    #[inline]
    pub fn load(&self) -> Contents {
        // Acquire: an unmasked slot's address was written before it was unmasked.
        let word = self.word.load(Ordering::Acquire);
        Contents::from_words(self.address.load(Ordering::Relaxed), word)
    }

    /// Makes a quiet slot a masked one of its own: no message, and the bits of
    /// `control` that say who may name it.
    pub fn prepare(&self, control: u32) {
        self.word.store(
            high(control & !(PENDING | IGNORE | FROZEN) | MASK),
            Ordering::Relaxed,
        );
        self.address.store(0, Ordering::Relaxed);
    }

    /// Writes the message of a quiet, masked slot; control keeps its value.
    ///
    /// Quiet means: no raiser that saw the slot unmasked is still on its way.
    pub fn program(&self, message: Message) {
        self.address.store(message.address, Ordering::Relaxed);
        let mut word = self.word.load(Ordering::Relaxed);
        // A loop, for a raiser may set the pending bit meanwhile.
        while let Err(now) = self.word.compare_exchange_weak(
            word,
            word & high(u32::MAX) | u64::from(message.data),
            Ordering::Relaxed,
            Ordering::Relaxed,
        ) {
            word = now;
        }
    }

    /// Masks the slot; says whether it was masked already.
    pub fn mask(&self) -> bool {
        self.word.fetch_or(high(MASK), Ordering::Relaxed) & high(MASK) != 0
    }

    /// Unmasks the slot; says whether a raise was kept, which the caller must
    /// deliver now: the pending bit is cleared with the mask.
    #[must_use = "a pending interrupt that is not delivered is lost"]
    pub fn unmask(&self) -> bool {
        self.release(MASK)
    }

    /// Keeps the slot from sending, whatever its mask says, so that it can be
    /// rewritten once the raisers that may have read it have left. Masking and
    /// unmasking go on as before, but take effect only when it is thawed.
    pub fn freeze(&self) {
        self.word.fetch_or(high(FROZEN), Ordering::Relaxed);
    }

    /// Ends a rewrite; says whether a raise was kept, as [`SlotRef::unmask`] does.
    #[must_use = "a pending interrupt that is not delivered is lost"]
    pub fn thaw(&self) -> bool {
        self.release(FROZEN)
    }

    /// Clears one of the bits that keep the slot from sending. If it was the last,
    /// takes out a raise that was kept.
    fn release(&self, bit: u32) -> bool {
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            let left = word & !high(bit);
            let sends = Contents::from_words(0, left).sends();
            let new = if sends { left & !high(PENDING) } else { left };
            // Release: the message is visible to whoever sees the slot send.
            // Acquire: so is the data of the raise that was kept.
            match self
                .word
                .compare_exchange_weak(word, new, Ordering::AcqRel, Ordering::Relaxed)
            {
                Ok(_) => return sends && word & high(PENDING) != 0,
                Err(now) => word = now,
            }
        }
    }

    /// Keeps a raise pending, unless the slot sends by now.
    ///
    /// Also a raise that finds the pending bit set writes the word: that is what
    /// makes its data visible to the handler of the interrupt it met.
    pub fn hold(&self) -> Hold {
        let mut word = self.word.load(Ordering::Acquire);
        loop {
            let contents = Contents::from_words(0, word);
            if contents.control & IGNORE != 0 {
                return Hold::Unowned;
            }
            if contents.sends() {
                let address = self.address.load(Ordering::Relaxed);
                return Hold::Send(Contents::from_words(address, word).message);
            }
            match self.word.compare_exchange_weak(
                word,
                word | high(PENDING),
                Ordering::Release,
                Ordering::Acquire,
            ) {
                Ok(_) if word & high(PENDING) != 0 => return Hold::Met,
                Ok(_) => return Hold::Kept,
                Err(now) => word = now,
            }
        }
    }

    /// Keeps a raise pending though the slot sends: its sink was busy.
    pub fn hold_for_sink(&self) -> Hold {
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            if word & high(IGNORE) != 0 {
                return Hold::Unowned;
            }
            match self.word.compare_exchange_weak(
                word,
                word | high(PENDING),
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) if word & high(PENDING) != 0 => return Hold::Met,
                Ok(_) => return Hold::Kept,
                Err(now) => word = now,
            }
        }
    }

    /// Takes a kept raise to send it, if the slot sends and one is kept.
    pub fn take_pending(&self) -> Option<Message> {
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            let contents = Contents::from_words(0, word);
            if !contents.sends() || contents.control & PENDING == 0 {
                return None;
            }
            match self.word.compare_exchange_weak(
                word,
                word & !high(PENDING),
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => {
                    let address = self.address.load(Ordering::Relaxed);
                    return Some(Contents::from_words(address, word).message);
                }
                Err(now) => word = now,
            }
        }
    }

    /// Takes the slot from its owner: control = mask and ignore. Says whether a
    /// raise was kept, which is dropped. The message stays until
    /// [`SlotRef::scrub`], for a raiser may be reading it.
    pub fn clear(&self) -> bool {
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            let data = word & u64::from(u32::MAX);
            match self.word.compare_exchange_weak(
                word,
                data | high(MASK | IGNORE),
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return word & high(PENDING) != 0,
                Err(now) => word = now,
            }
        }
    }

    /// Zeroes the message of a cleared, quiet slot.
    pub fn scrub(&self) {
        self.address.store(0, Ordering::Relaxed);
        self.word.store(high(MASK | IGNORE), Ordering::Relaxed);
    }

    /// Whether a raise is kept.
    pub fn is_pending(&self) -> bool {
        self.word.load(Ordering::Acquire) & high(PENDING) != 0
    }
}

/// The words of a slot that is nobody's.
pub fn unowned() -> SlotWords {
    [AtomicU64::new(0), AtomicU64::new(high(MASK | IGNORE))]
}

impl<'a> From<&'a SlotWords> for SlotRef<'a> {
    fn from([address, word]: &'a SlotWords) -> Self {
        Self::new(address, word)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const MESSAGE: Message = Message {
        address: 0xfee0_0010,
        data: 0x55,
    };

    #[test]
    fn a_slot_goes_through_its_life() {
        let words = unowned();
        let slot = SlotRef::from(&words);
        assert_eq!(slot.hold(), Hold::Unowned);
        slot.prepare(PASID_ENABLE | 7 << PASID_SHIFT);
        slot.program(MESSAGE);
        assert!(!slot.load().sends());
        assert_eq!(slot.hold(), Hold::Kept);
        assert_eq!(slot.hold(), Hold::Met);
        assert!(slot.unmask());
        assert_eq!(slot.load().message, MESSAGE);
        assert!(slot.load().sends());
        assert_eq!(slot.hold(), Hold::Send(MESSAGE));
        assert!(!slot.mask());
        assert!(slot.mask());
        assert!(!slot.unmask());
        assert_eq!(slot.hold_for_sink(), Hold::Kept);
        assert_eq!(slot.take_pending(), Some(MESSAGE));
        assert_eq!(slot.take_pending(), None);
        slot.mask();
        assert_eq!(slot.hold(), Hold::Kept);
        assert!(slot.clear());
        assert_eq!(slot.load().control, MASK | IGNORE);
        assert_eq!(slot.load().message, MESSAGE);
        slot.scrub();
        assert_eq!(slot.load().message, Message::default());
    }

    #[test]
    fn a_frozen_slot_sends_when_it_is_thawed_and_unmasked_and_not_before() {
        let words = unowned();
        let slot = SlotRef::from(&words);
        slot.prepare(0);
        slot.program(MESSAGE);
        slot.freeze();
        assert_eq!(slot.hold(), Hold::Kept);
        assert!(!slot.unmask(), "still frozen");
        assert_eq!(slot.hold(), Hold::Met);
        slot.mask();
        assert!(!slot.thaw(), "still masked");
        assert!(slot.unmask());
        slot.freeze();
        assert_eq!(slot.hold(), Hold::Kept);
        assert!(slot.thaw());
        assert_eq!(slot.hold(), Hold::Send(MESSAGE));
    }

    #[test]
    fn only_the_slots_own_pasid_is_admitted() {
        let pasid = |n| Pasid::new(n);
        let open = Contents {
            control: 9 << PASID_SHIFT,
            ..Contents::default()
        };
        assert!(open.admits(None) && open.admits(pasid(1)));
        let owned = Contents {
            control: PASID_ENABLE | 9 << PASID_SHIFT,
            ..Contents::default()
        };
        assert!(owned.admits(pasid(9)));
        assert!(!owned.admits(pasid(8)) && !owned.admits(None));
    }

    #[test]
    fn reprogramming_keeps_a_raise_that_came_meanwhile() {
        let words = unowned();
        let slot = SlotRef::from(&words);
        slot.prepare(0);
        assert_eq!(slot.hold(), Hold::Kept);
        slot.program(MESSAGE);
        assert!(slot.is_pending());
        assert!(slot.unmask());
    }
}
