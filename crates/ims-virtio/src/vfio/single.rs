// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The single interrupt of virtio-mmio in a function: the pin, or one vector of MSI-X.
//!
//! ```text
//!    level ──▶ MSI-X off: the pin follows it
//!              MSI-X on:  vector 0 is raised as the level rises, and again when the
//!                         driver has acknowledged and something is left
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use super::line::ClientPin;
use super::vectors::ClientVectors;
use crate::interrupts::Level;
use crate::line::Line;
use crate::vectors::Vectors;

/// The transport asserts it.
const LEVEL: u8 = 1 << 0;
/// It goes by the vector.
const MSIX: u8 = 1 << 1;
/// Which vector.
const VECTOR: u16 = 0;

/// The interrupt.
///
/// # Concurrency
/// All methods on any thread, without a lock. Level and way are in one word: whoever
/// changes one of them sees the other, so no rise is missed.
#[derive(Debug)]
pub(super) struct Single {
    word: AtomicU8,
    pin: Level<Arc<ClientPin>>,
    vectors: Arc<ClientVectors>,
}

impl Single {
    pub(super) fn new(pin: Arc<ClientPin>, vectors: Arc<ClientVectors>) -> Self {
        Self {
            word: AtomicU8::new(0),
            pin: Level::new(pin),
            vectors,
        }
    }

    /// Whether it goes by the vector.
    pub(super) fn set_msix(&self, enabled: bool) {
        let before = self.change(MSIX, enabled);
        if enabled && before & (MSIX | LEVEL) == LEVEL {
            self.vectors.raise(VECTOR);
        }
    }

    /// The driver has acknowledged something, and something is left: a vector tells of
    /// that, for the level did not fall.
    pub(super) fn is_left(&self) {
        if self.word.load(Ordering::Acquire) & MSIX != 0 {
            self.vectors.raise(VECTOR);
        }
    }

    fn change(&self, bit: u8, set: bool) -> u8 {
        let before = if set {
            self.word.fetch_or(bit, Ordering::AcqRel)
        } else {
            self.word.fetch_and(!bit, Ordering::AcqRel)
        };
        let after = if set { before | bit } else { before & !bit };
        if (before == LEVEL) != (after == LEVEL) {
            self.pin
                .settle(|| self.word.load(Ordering::Relaxed) == LEVEL);
        }
        before
    }
}

impl Line for Single {
    fn set(&self, asserted: bool) {
        let before = self.change(LEVEL, asserted);
        if asserted && before & MSIX != 0 {
            self.vectors.raise(VECTOR);
        }
    }
}
