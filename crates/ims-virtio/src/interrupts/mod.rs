// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How virtio-mmio tells its driver: by the single interrupt, or by messages.
//!
//! ```text
//!    Notifier ──▶ Ways::notify        one look at the word: live? which way?
//!                   │        │
//!          Line     ▼        ▼  Msi, Vis
//!     status bit, Level     messages ──▶ look again: another way meanwhile?
//!          ▼                               then the event goes that way too
//!        Line::set
//! ```
//!
//! # What a change of way does to events
//! None is lost; one may be told twice, which a driver must bear (virtio 1.3, 2.3:
//! it looks into its rings).
//! - Messages enabled: what was in InterruptStatus is taken out of it, the line goes
//!   down, and its events are told again by messages; for used buffers, of all
//!   queues, for status does not say of which.
//! - Disabled: what masked vectors of MSI kept goes to InterruptStatus. What the
//!   device cannot know of (VIS keeps it in the driver's memory) is supposed: both
//!   bits are set.
//! - An event that was on its way by message when the way changed is told by the new
//!   one as well. One that finds no messages goes to the line.
//! - Before `DRIVER_OK` and after a reset there is nobody to tell: dropped.

mod level;
#[cfg(all(test, loom))]
mod loom_tests;
pub mod msi;
mod word;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use ims::sink::MessageSink;
use ims::sync::{AtomicU32, Ordering, fence};

use crate::line::Line;
use crate::memory::Memory;
use crate::notifier::{Event, Notify};
use crate::vis::VisPort;
pub(crate) use level::Level;
pub use word::Mode;
pub(crate) use word::STATUS;
use word::{SHOWN_SHIFT, Word, bit};

/// Messages, as a way for events.
pub(crate) trait Messages: Send + Sync {
    /// Tells of `event`, or keeps it; `false` if there are no messages now.
    fn tell(&self, event: Event) -> bool;

    /// The vector that `event` has now.
    fn vector(&self, event: Event) -> Option<u32>;

    /// Sends what a busy sink left of a vector.
    fn retry(&self, vector: u32);
}

/// One that may not be offered.
impl<W: Messages> Messages for Option<W> {
    fn tell(&self, event: Event) -> bool {
        self.as_ref().is_some_and(|way| way.tell(event))
    }

    fn vector(&self, event: Event) -> Option<u32> {
        self.as_ref()?.vector(event)
    }

    fn retry(&self, vector: u32) {
        if let Some(way) = self {
            way.retry(vector);
        }
    }
}

/// Of storage, which counts what becomes of its messages.
impl<M: Memory, K: MessageSink + Send + Sync> Messages for VisPort<M, K> {
    fn tell(&self, event: Event) -> bool {
        self.event(event)
    }

    fn vector(&self, event: Event) -> Option<u32> {
        Self::vector(self, event)
    }

    fn retry(&self, vector: u32) {
        Self::retry(self, vector);
    }
}

/// All ways of one device, and which one is taken.
///
/// # Concurrency
/// Events, [`Ways::status`] and [`Ways::acknowledge`] on any thread, without a lock.
/// What changes the way is one thread's at a time.
#[derive(Debug)]
pub(crate) struct Ways<A, B, L> {
    /// Register writes are posted: see [`Ways::acknowledge`].
    posted: bool,
    word: AtomicU32,
    level: Level<L>,
    msi: A,
    vis: B,
}

impl<A: Messages, B: Messages, L: Line> Ways<A, B, L> {
    pub(crate) fn new(msi: A, vis: B, line: L, posted: bool) -> Self {
        Self {
            posted,
            word: AtomicU32::new(Word::default().0),
            level: Level::new(line),
            msi,
            vis,
        }
    }

    fn load(&self) -> Word {
        // Acquire: what was set up before the way was changed to this one.
        Word(self.word.load(Ordering::Acquire))
    }

    pub(crate) fn mode(&self) -> Mode {
        self.load().mode()
    }

    /// InterruptStatus, shown to nobody.
    pub(crate) fn pending(&self) -> u32 {
        self.load().status()
    }

    /// InterruptStatus, as the driver reads it.
    pub(crate) fn status(&self) -> u32 {
        if !self.posted {
            return self.pending();
        }
        // Acquire: who is shown a bit finds what it is about. Release: for who
        // acknowledges it.
        let shown = self.word.fetch_or(STATUS << SHOWN_SHIFT, Ordering::AcqRel);
        Word(shown).status()
    }

    /// Clears bits of InterruptStatus. Who reads a ring after that finds what it
    /// stood for; what comes later sets it again.
    ///
    /// Where writes are posted the driver reads its rings before this has come, so that
    /// what was told in between is not what it has seen: then only bits that a read has
    /// shown since their last event are cleared.
    pub(crate) fn acknowledge(&self, bits: u32) {
        let bits = bits & STATUS;
        let mut word = self.load();
        loop {
            let left = if self.posted {
                word.without_shown(bits)
            } else {
                Word(word.0 & !bits)
            };
            // Acquire: what was written before the bits were set.
            let done = self.word.compare_exchange_weak(
                word.0,
                left.0,
                Ordering::Acquire,
                Ordering::Acquire,
            );
            match done {
                Ok(_) if word.status() != 0 && left.status() == 0 => return self.settle(),
                Ok(_) => return,
                Err(now) => word = Word(now),
            }
        }
    }

    fn settle(&self) {
        // Relaxed: who changed the word has handed that over with its asking.
        self.level
            .settle(|| Word(self.word.load(Ordering::Relaxed)).status() != 0);
    }

    /// Puts `new` in the place of `word`.
    fn replace(&self, word: Word, new: Word) -> Result<(), Word> {
        // Release: what the caller wrote is there for who acknowledges the bit, or
        // takes the new way. Acquire: as for a load.
        self.word
            .compare_exchange(word.0, new.0, Ordering::Release, Ordering::Acquire)
            .map_err(Word)?;
        if (word.status() == 0) != (new.status() == 0) {
            self.settle();
        }
        Ok(())
    }

    fn change(&self, change: impl Fn(Word) -> Word) -> Word {
        let mut word = self.load();
        while let Err(now) = self.replace(word, change(word)) {
            word = now;
        }
        word
    }

    /// Changes the way. What an event that does not find the new one has done by the
    /// old is seen by who looks after this.
    fn change_way(&self, change: impl Fn(Word) -> Word) -> Word {
        let had = self.change(change);
        fence(Ordering::SeqCst);
        had
    }

    /// Events are told, or dropped.
    pub(crate) fn set_live(&self, live: bool) {
        self.change(|word| word.live(live));
    }

    /// As at first: nobody to tell, the line down. Messages are the caller's to reset,
    /// after this.
    pub(crate) fn reset(&self) {
        self.change_way(|word| word.on(Mode::Line).live(false));
    }

    /// Changes the way to messages that are ready to be sent. What was in
    /// InterruptStatus is told again.
    pub(crate) fn take(&self, mode: Mode, queues: Range<u16>) {
        let had = self.change_way(|word| word.on(mode));
        if had.status() & bit(Event::Config) != 0 {
            self.notify(Event::Config);
        }
        if had.status() & bit(Event::Used(0)) != 0 {
            let way = self.messages(mode);
            let queues =
                queues.map(|queue| (way.and_then(|way| way.vector(Event::Used(queue))), queue));
            // One of those that share a vector.
            let queues: BTreeMap<_, _> = queues.collect();
            for queue in queues.into_values() {
                self.notify(Event::Used(queue));
            }
        }
    }

    fn messages(&self, mode: Mode) -> Option<&dyn Messages> {
        match mode {
            Mode::Line => None,
            Mode::Msi => Some(&self.msi),
            Mode::Vis => Some(&self.vis),
        }
    }

    /// Sends what a sink that was busy left of the events of this many queues.
    pub(crate) fn retry(&self, queues: u16) {
        let events = (0..queues).map(Event::Used).chain([Event::Config]);
        if let Some(way) = self.messages(self.mode()) {
            let vectors: BTreeSet<_> = events.filter_map(|event| way.vector(event)).collect();
            for vector in vectors {
                way.retry(vector);
            }
        }
    }

    /// Changes the way to the line, with these bits in its status if there is
    /// somebody to tell.
    pub(crate) fn fall_back(&self, bits: u32) {
        self.change_way(|word| {
            // An event that found no messages has been here before.
            let line = word.on_line();
            if word.is_live() {
                line.with(bits)
            } else {
                line
            }
        });
    }

    /// Sets bits of InterruptStatus, if events go that way.
    pub(crate) fn post(&self, bits: u32) {
        self.change(|word| {
            if word.is_live() && word.mode() == Mode::Line {
                word.with(bits)
            } else {
                word
            }
        });
    }

    /// As a saved one was.
    pub(crate) fn restore(&self, mode: Mode, live: bool, status: u32) {
        self.change(|word| word.on(mode).live(live).with(status));
    }
}

impl<A: Messages, B: Messages, L: Line> Notify for Ways<A, B, L> {
    fn notify(&self, event: Event) {
        let mut word = self.load();
        while word.is_live() {
            let told = match word.mode() {
                Mode::Line => false,
                Mode::Msi => self.msi.tell(event),
                Mode::Vis => self.vis.tell(event),
            };
            if told {
                // Who changes the way after this look sees what became of the message.
                fence(Ordering::SeqCst);
                let now = self.load();
                if now.is_same_way(word) {
                    return;
                }
                word = now;
                continue;
            }
            // Also if the bit was set: the driver may be about to acknowledge it
            // without having seen what this is about.
            match self.replace(word, word.on_line().with(bit(event))) {
                Ok(()) => return,
                Err(now) => word = now,
            }
        }
    }
}
