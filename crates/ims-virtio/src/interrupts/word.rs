// SPDX-License-Identifier: Apache-2.0 OR MIT
//! All that decides where an event goes, in one word.
//!
//! | bits | |
//! |---|---|
//! | 1:0 | InterruptStatus; set only while the way is the line |
//! | 3:2 | of these, what a read has shown since the last event of each |
//! | 8 | the driver is to be told of events |
//! | 10:9 | the way |
//! | 31:11 | how many times the way has changed |

use crate::layout::mmio::{INTERRUPT_CONFIG, INTERRUPT_USED};
use crate::notifier::Event;

/// How interrupts go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// By the single interrupt.
    #[default]
    Line,
    /// By messages that the driver configured by registers.
    Msi,
    /// By messages of virtio interrupt storage.
    Vis,
}

/// InterruptStatus.
pub(crate) const STATUS: u32 = INTERRUPT_USED | INTERRUPT_CONFIG;
/// What of it has been shown, this far above.
pub(super) const SHOWN_SHIFT: u32 = 2;
const LIVE: u32 = 1 << 8;
const MODE_SHIFT: u32 = 9;
const MODE: u32 = 3 << MODE_SHIFT;
const CHANGE: u32 = 1 << 11;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Word(pub(super) u32);

impl Word {
    pub(super) fn status(self) -> u32 {
        self.0 & STATUS
    }

    pub(super) fn is_live(self) -> bool {
        self.0 & LIVE != 0
    }

    pub(super) fn mode(self) -> Mode {
        match (self.0 & MODE) >> MODE_SHIFT {
            1 => Mode::Msi,
            2 => Mode::Vis,
            _ => Mode::Line,
        }
    }

    /// Whether the way has been the same all the time between two looks.
    pub(super) fn is_same_way(self, other: Self) -> bool {
        self.0 / CHANGE == other.0 / CHANGE
    }

    /// With events that nobody has been shown.
    #[must_use]
    pub(super) fn with(self, status: u32) -> Self {
        let status = status & STATUS;
        Self((self.0 | status) & !(status << SHOWN_SHIFT))
    }

    /// Without those of `bits` that have been shown.
    #[must_use]
    pub(super) fn without_shown(self, bits: u32) -> Self {
        Self(self.0 & !(bits & self.0 >> SHOWN_SHIFT & STATUS))
    }

    #[must_use]
    pub(super) fn live(self, live: bool) -> Self {
        let rest = self.0 & !LIVE;
        Self(if live { rest | LIVE } else { rest })
    }

    /// On the way `mode`, which is another than before or begins anew: with nothing
    /// in status.
    #[must_use]
    pub(super) fn on(self, mode: Mode) -> Self {
        let mode = match mode {
            Mode::Line => 0,
            Mode::Msi => 1,
            Mode::Vis => 2,
        };
        let kept = self.0 & !(MODE | STATUS | STATUS << SHOWN_SHIFT);
        Self(kept.wrapping_add(CHANGE) | mode << MODE_SHIFT)
    }

    /// On the line: as it is if it is there already, or with nothing in status.
    #[must_use]
    pub(super) fn on_line(self) -> Self {
        if self.mode() == Mode::Line {
            self
        } else {
            self.on(Mode::Line)
        }
    }
}

/// The bit of InterruptStatus that stands for an event.
pub(super) fn bit(event: Event) -> u32 {
    match event {
        Event::Used(_) => INTERRUPT_USED,
        Event::Config => INTERRUPT_CONFIG,
    }
}
