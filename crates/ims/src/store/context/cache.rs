// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The device's cache of contexts: direct-mapped lines, filled by whoever misses.
//!
//! A line's state word counts versions, so that a reader can tell that what it
//! read belongs together (a sequence lock whose readers never wait: they go to
//! the image instead). A control half that changes an image blocks its line first;
//! a fill that was under way then fails at its last step, and nobody fills until
//! the line is unblocked.

use alloc::boxed::Box;

use crate::store::Contents;
use crate::sync::{AtomicU32, AtomicU64, Ordering, fence};

/// Nothing cached.
const EMPTY: u64 = 0;
/// Somebody is filling the line.
const FILLING: u64 = 1;
/// The line holds a copy.
const VALID: u64 = 2;
/// An image is being changed.
const BLOCKED: u64 = 3;
/// The bits of a state word that say which of these it is; the rest is a version.
const KIND: u64 = 3;
/// Adds one to the version.
const VERSION: u64 = 4;

/// `state` with its version counted up and another kind.
fn next(state: u64, kind: u64) -> u64 {
    (state & !KIND).wrapping_add(VERSION) | kind
}

#[derive(Debug)]
struct Line {
    state: AtomicU64,
    /// How many of the line's contexts are blocked; only the control half has it.
    blocks: AtomicU32,
    tag: AtomicU32,
    address: AtomicU64,
    word: AtomicU64,
}

/// A direct-mapped cache of slots' contents.
#[derive(Debug)]
pub(super) struct Cache {
    lines: Box<[Line]>,
}

impl Cache {
    /// A cache of `lines` lines.
    pub(super) fn new(lines: u32) -> Self {
        let line = |_| Line {
            state: AtomicU64::new(EMPTY),
            blocks: AtomicU32::new(0),
            tag: AtomicU32::new(0),
            address: AtomicU64::new(0),
            word: AtomicU64::new(0),
        };
        Self {
            lines: (0..lines).map(line).collect(),
        }
    }

    fn line(&self, index: u32) -> Option<&Line> {
        self.lines.get(index as usize % self.lines.len().max(1))
    }

    /// The cached contents of slot `index`, or what `image` reads, which is then
    /// cached if it can be sent.
    #[inline]
    pub(super) fn fetch(
        &self,
        index: u32,
        image: impl FnOnce() -> Option<Contents>,
    ) -> Option<Contents> {
        let line = self.line(index)?;
        // Acquire: the copy was written before the line became valid.
        let state = line.state.load(Ordering::Acquire);
        match state & KIND {
            VALID => match line.read(index, state) {
                Some(contents) => Some(contents),
                None => line.fill(index, state, image),
            },
            EMPTY => line.fill(index, state, image),
            _ => image(),
        }
    }

    /// Drops the copy of slot `index`, and keeps the line from being filled.
    pub(super) fn block(&self, index: u32) {
        let Some(line) = self.line(index) else { return };
        line.blocks.fetch_add(1, Ordering::Relaxed);
        let mut state = line.state.load(Ordering::Relaxed);
        while let Err(now) = line.state.compare_exchange_weak(
            state,
            next(state, BLOCKED),
            Ordering::Relaxed,
            Ordering::Relaxed,
        ) {
            state = now;
        }
    }

    /// Lets the line of slot `index` be filled again, when its last block goes.
    ///
    /// Everyone who was filling it must have left.
    pub(super) fn unblock(&self, index: u32) {
        let Some(line) = self.line(index) else { return };
        if line.blocks.fetch_sub(1, Ordering::Relaxed) == 1 {
            let state = line.state.load(Ordering::Relaxed);
            // Release: who fills the line next writes after those who filled it before.
            // weaken: a model never lets a store come before one that ran earlier
            line.state.store(next(state, EMPTY), Ordering::Release);
        }
    }
}

impl Line {
    /// The copy, if the line still has the one that `state` announced.
    #[inline]
    fn read(&self, index: u32, state: u64) -> Option<Contents> {
        let tag = self.tag.load(Ordering::Relaxed);
        let address = self.address.load(Ordering::Relaxed);
        let word = self.word.load(Ordering::Relaxed);
        // Pairs with the fence in `fill`: had any of these come from a later
        // fill, the state would be seen to have moved on.
        fence(Ordering::Acquire);
        let same = self.state.load(Ordering::Relaxed) == state;
        (same && tag == index).then(|| Contents::from_words(address, word))
    }

    /// Reads the image, and caches it unless somebody else has the line.
    fn fill(
        &self,
        index: u32,
        state: u64,
        image: impl FnOnce() -> Option<Contents>,
    ) -> Option<Contents> {
        let filling = next(state, FILLING);
        // Relaxed: the load that found this very state was an acquire.
        let mine = self
            .state
            .compare_exchange(state, filling, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok();
        let contents = image();
        if mine {
            let kind = match contents {
                Some(contents) if contents.sends() => {
                    fence(Ordering::Release);
                    self.store(index, contents);
                    VALID
                }
                _ => EMPTY,
            };
            // Fails if the line was blocked meanwhile: then nothing is cached.
            let _ = self.state.compare_exchange(
                filling,
                next(filling, kind),
                Ordering::Release,
                Ordering::Relaxed,
            );
        }
        contents
    }

    fn store(&self, index: u32, contents: Contents) {
        let (address, word) = contents.to_words();
        self.tag.store(index, Ordering::Relaxed);
        self.address.store(address, Ordering::Relaxed);
        self.word.store(word, Ordering::Relaxed);
    }
}
