// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Interrupt status, and the level of the pin that follows it.
//!
//! ```text
//!   one word:  ISR bits · MSI-X enabled · live
//!   level      asserted = ISR bits and not MSI-X
//! ```

use std::sync::atomic::{AtomicU32, Ordering};

use crate::interrupts::Level;
use crate::layout::pci::isr;
use crate::line::Line;

/// The bits that the driver reads.
const ISR: u32 = (isr::QUEUE | isr::CONFIG) as u32;
/// Interrupts are MSI-X.
const MSIX: u32 = 1 << 8;
/// Between a start and the next reset.
const LIVE: u32 = 1 << 9;

/// How an event goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Not at all: the driver has reset the device.
    Dropped,
    /// By the pin; nothing is left to do.
    Pin,
    /// By its vector.
    Vector,
}

/// The status of one function.
///
/// # Concurrency
/// All methods on any thread; none waits.
pub(super) struct Status<L> {
    word: AtomicU32,
    level: Level<L>,
}

impl<L: Line> Status<L> {
    pub(super) fn new(line: L) -> Self {
        Self {
            word: AtomicU32::new(0),
            level: Level::new(line),
        }
    }

    /// Something happened, `bit` of the status. What the caller wrote before is there
    /// for a driver that reads the status.
    pub(super) fn raise(&self, bit: u8) -> Way {
        let word = self.word.load(Ordering::Acquire);
        let way = way_of(word);
        // Used buffers do not show in the status with MSI-X; a changed configuration
        // does, whatever tells of it (4.1.4.5.1).
        if way == Way::Dropped || way == Way::Vector && bit != isr::CONFIG {
            return way;
        }
        let bit = u32::from(bit);
        let set = |word: u32| (word & LIVE != 0).then_some(word | bit);
        let before = self
            .word
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, set);
        match before {
            Ok(before) => {
                self.settle(before, before | bit);
                way_of(before)
            }
            Err(_) => Way::Dropped,
        }
    }

    /// The driver reads the status, and so clears it.
    pub(super) fn take(&self) -> u8 {
        let before = self.word.fetch_and(!ISR, Ordering::AcqRel);
        self.settle(before, before & !ISR);
        let [low, ..] = (before & ISR).to_le_bytes();
        low
    }

    /// Whether interrupts are MSI-X.
    pub(super) fn set_msix(&self, enabled: bool) {
        if enabled {
            let before = self.word.fetch_or(MSIX, Ordering::AcqRel);
            self.settle(before, before | MSIX);
        } else {
            let before = self.word.fetch_and(!MSIX, Ordering::AcqRel);
            self.settle(before, before & !MSIX);
        }
    }

    /// Events are let through from now on.
    pub(super) fn open(&self) {
        self.word.fetch_or(LIVE, Ordering::AcqRel);
    }

    /// None are, and those that were are forgotten.
    pub(super) fn close(&self) {
        let before = self.word.fetch_and(!(LIVE | ISR), Ordering::AcqRel);
        self.settle(before, before & !(LIVE | ISR));
    }

    fn settle(&self, before: u32, after: u32) {
        if is_asserted(before) != is_asserted(after) {
            // Relaxed: who changed the word has handed that over with its asking.
            self.level
                .settle(|| is_asserted(self.word.load(Ordering::Relaxed)));
        }
    }
}

fn way_of(word: u32) -> Way {
    match (word & LIVE != 0, word & MSIX != 0) {
        (false, _) => Way::Dropped,
        (true, false) => Way::Pin,
        (true, true) => Way::Vector,
    }
}

fn is_asserted(word: u32) -> bool {
    word & ISR != 0 && word & MSIX == 0
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    /// A line that insists on what it was promised.
    #[derive(Default)]
    struct Strict {
        level: AtomicBool,
        busy: AtomicBool,
    }

    impl Line for Strict {
        fn set(&self, asserted: bool) {
            assert!(!self.busy.swap(true, Ordering::SeqCst), "two at a time");
            assert_ne!(self.level.swap(asserted, Ordering::SeqCst), asserted);
            self.busy.store(false, Ordering::SeqCst);
        }
    }

    fn status() -> (Status<Arc<Strict>>, Arc<Strict>) {
        let line = Arc::new(Strict::default());
        (Status::new(Arc::clone(&line)), line)
    }

    impl Strict {
        fn level(&self) -> bool {
            self.level.load(Ordering::SeqCst)
        }
    }

    #[test]
    fn the_pin_is_asserted_until_the_status_is_read() {
        let (status, line) = status();
        assert_eq!(status.raise(isr::QUEUE), Way::Dropped);
        status.open();
        assert_eq!(status.raise(isr::QUEUE), Way::Pin);
        assert_eq!(status.raise(isr::CONFIG), Way::Pin);
        assert!(line.level());
        assert_eq!(status.take(), 3);
        assert!(!line.level());
        assert_eq!(status.take(), 0);
    }

    #[test]
    fn with_msix_only_a_changed_configuration_shows_and_the_pin_rests() {
        let (status, line) = status();
        status.open();
        status.raise(isr::QUEUE);
        status.set_msix(true);
        assert!(!line.level());
        assert_eq!(status.take(), isr::QUEUE);
        assert_eq!(status.raise(isr::QUEUE), Way::Vector);
        assert_eq!(status.raise(isr::CONFIG), Way::Vector);
        assert!(!line.level());
        status.set_msix(false);
        assert!(line.level(), "what was not read");
        assert_eq!(status.take(), isr::CONFIG);
    }

    #[test]
    fn a_reset_forgets_and_lets_nothing_through() {
        let (status, line) = status();
        status.open();
        status.raise(isr::QUEUE);
        status.close();
        assert!(!line.level());
        assert_eq!(status.raise(isr::CONFIG), Way::Dropped);
        assert_eq!(status.take(), 0);
    }

    #[test]
    fn many_threads_leave_the_level_as_the_status_says() {
        for _ in 0..50 {
            let (status, line) = status();
            status.open();
            std::thread::scope(|scope| {
                for _ in 0..2 {
                    scope.spawn(|| {
                        for _ in 0..300 {
                            status.raise(isr::QUEUE);
                        }
                    });
                }
                scope.spawn(|| {
                    for _ in 0..300 {
                        status.take();
                    }
                });
                scope.spawn(|| (0..300).for_each(|at| status.set_msix(at % 2 == 0)));
            });
            status.set_msix(false);
            let asserted = line.level();
            assert_eq!(status.take() != 0, asserted);
            assert!(!line.level());
        }
    }
}
