// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A gate: one word in which the driver masks and the device keeps.
//!
//! ```text
//!   driver   mask     or  MASK
//!            unmask   and !MASK ──▶ was PENDING? RESEND, or take it
//!   device   raise    unmasked: send, and take a PENDING along
//!                     masked: exchange PENDING in; if that fails, look again
//! ```
//!
//! Both bits change by read-modify-writes of one word, so raise and unmask come one
//! after the other: the unmask finds what was kept, or the raise finds no mask. What
//! is *read* only may be old, and nothing that keeps an interrupt rests on it.

use ims::sync::Ordering;

use crate::layout::vis::{MASK, PENDING};

/// The atomic word of a gate, wherever it is.
pub(crate) trait Word {
    /// What it holds.
    fn load(&self, order: Ordering) -> u32;

    /// Puts `new` in place of `now`, or says what is there instead. Never fails for
    /// another reason.
    fn exchange(&self, now: u32, new: u32, ok: Ordering, not: Ordering) -> Result<(), u32>;
}

/// Tries until a driver that changes the word all the time is taken to be unmasked: a
/// raise ends, whatever a driver does.
const TRIES: u32 = 256;

/// What is to be done with a raise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Send it: the vector was unmasked when it was looked at.
    Send,
    /// Nothing: it is kept, or has met one that was.
    Kept,
}

/// What came of looking at a gate, and whether the word was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Looked<T> {
    /// What came of it.
    pub(crate) what: T,
    /// The word was written.
    pub(crate) wrote: bool,
}

const fn looked<T>(what: T, wrote: bool) -> Looked<T> {
    Looked { what, wrote }
}

/// An interrupt comes. `open`: the vector has a message.
#[inline]
pub(crate) fn raise(word: &impl Word, open: bool) -> Looked<Way> {
    // Relaxed: what it decides alone is to send, for which the driver's mask may
    // always come too late.
    let mut seen = word.load(Ordering::Relaxed);
    for _ in 0..TRIES {
        let passes = open && seen & MASK == 0;
        let new = match (passes, seen & PENDING != 0) {
            (true, false) => return looked(Way::Send, false),
            // One interrupt tells of both.
            (true, true) => seen & !PENDING,
            // Also if it is set already: what is there may be old, and the driver
            // that takes it must see what this raiser wrote.
            (false, _) => seen | PENDING,
        };
        // Release: who takes it sees what the raiser wrote. Acquire: what was written
        // before a kept raise is seen by the handler of this one.
        match word.exchange(seen, new, Ordering::AcqRel, Ordering::Relaxed) {
            Ok(()) if passes => return looked(Way::Send, true),
            Ok(()) => return looked(Way::Kept, true),
            Err(now) => seen = now,
        }
    }
    looked(Way::Send, false)
}

/// Takes what was kept, if the vector is unmasked: the caller sends it.
pub(crate) fn take(word: &impl Word) -> Looked<bool> {
    // Relaxed: who asks for this has seen PENDING, or has ordered every raiser before
    // it; the exchange reads what is there.
    let mut seen = word.load(Ordering::Relaxed);
    for _ in 0..TRIES {
        if seen & MASK != 0 || seen & PENDING == 0 {
            return looked(false, false);
        }
        // Acquire: what was written before the kept raise is seen by the handler.
        match word.exchange(seen, seen & !PENDING, Ordering::Acquire, Ordering::Relaxed) {
            Ok(()) => return looked(true, true),
            Err(now) => seen = now,
        }
    }
    looked(true, false)
}

/// Keeps an interrupt though the vector is unmasked: the sink was busy.
pub(crate) fn keep(word: &impl Word) -> Looked<()> {
    let mut seen = word.load(Ordering::Relaxed);
    for _ in 0..TRIES {
        // Release, as in `raise`; nothing is taken.
        match word.exchange(seen, seen | PENDING, Ordering::Release, Ordering::Relaxed) {
            Ok(()) => return looked((), true),
            Err(now) => seen = now,
        }
    }
    looked((), false)
}
