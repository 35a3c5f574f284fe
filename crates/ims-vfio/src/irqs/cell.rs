// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Vectors that software raises, and where a device keeps its vectors.

use std::sync::OnceLock;

use super::patience::Patience;
use super::trigger::Trigger;
use super::wire::{Sign, Wire};
use crate::sync::{AtomicU8, Ordering};

/// What stands behind a vector.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub enum Kind {
    /// An interrupt of the host, taken when the vector gets a trigger. The device
    /// raises it through the port of its domain.
    Backed,
    /// Nothing: the device's software raises it where it intercepts the guest.
    Emulated,
    /// Nothing but an eventfd: what every vector of a device without IMS is.
    Plain,
}

/// Bits of a cell's state. The lowest two hold what it was declared as.
mod bits {
    /// What it was declared as; 0 is nothing.
    pub(super) const KIND: u8 = 0b11;
    /// It has had a trigger or a cookie: its kind is fixed.
    pub(super) const USED: u8 = 1 << 2;
    /// It was restored as triggered, and has no trigger yet.
    pub(super) const AWAITING: u8 = 1 << 3;
    /// It was raised meanwhile, and is signalled once when the trigger comes.
    pub(super) const OWED: u8 = 1 << 4;
}

/// What came of a raise by software.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signalled {
    /// The trigger was signalled.
    Now,
    /// The vector was restored and its trigger is still to come: it is signalled
    /// then, once.
    Later,
}

/// One vector.
///
/// # Concurrency
/// [`Cell::raise`] takes no lock and runs beside everything; whatever changes a
/// cell is called by one thread at a time.
#[derive(Debug)]
pub(super) struct Cell<T = Trigger> {
    wire: Wire<T>,
    state: AtomicU8,
}

impl<T> Default for Cell<T> {
    fn default() -> Self {
        Self {
            wire: Wire::default(),
            state: AtomicU8::new(0),
        }
    }
}

impl<T: Sign> Cell<T> {
    fn has(&self, bit: u8) -> bool {
        self.state.load(Ordering::Acquire) & bit != 0
    }

    /// What it was declared as.
    pub(super) fn kind(&self) -> Option<Kind> {
        match self.state.load(Ordering::Relaxed) & bits::KIND {
            1 => Some(Kind::Backed),
            2 => Some(Kind::Emulated),
            3 => Some(Kind::Plain),
            _ => None,
        }
    }

    /// Declares it.
    pub(super) fn declare(&self, kind: Kind) {
        let code = match kind {
            Kind::Backed => 1,
            Kind::Emulated => 2,
            Kind::Plain => 3,
        };
        self.state.fetch_and(!bits::KIND, Ordering::Relaxed);
        self.state.fetch_or(code, Ordering::Relaxed);
    }

    /// Fixes its kind.
    pub(super) fn mark_used(&self) {
        self.state.fetch_or(bits::USED, Ordering::Relaxed);
    }

    /// Whether its kind is fixed.
    pub(super) fn is_used(&self) -> bool {
        self.has(bits::USED)
    }

    /// Whether it has a trigger.
    pub(super) fn is_set(&self) -> bool {
        self.wire.is_set()
    }

    /// Whether it has a trigger, or had one when it was saved.
    pub(super) fn is_triggered(&self) -> bool {
        self.is_set() || self.has(bits::AWAITING)
    }

    /// Whether a raise waits for the trigger.
    pub(super) fn is_owed(&self) -> bool {
        self.has(bits::OWED)
    }

    /// Raises it; `None` if it has no trigger and none is to come.
    pub(super) fn raise(&self) -> Option<Signalled> {
        self.raise_by(Wire::signal)
    }

    /// The same, for a thread that nobody may hold.
    pub(super) fn raise_unheld(&self) -> Option<Signalled> {
        self.raise_by(Wire::signal_unheld)
    }

    fn raise_by(&self, signal: fn(&Wire<T>) -> bool) -> Option<Signalled> {
        if signal(&self.wire) {
            return Some(Signalled::Now);
        }
        let wait = |state| (state & bits::AWAITING != 0).then_some(state | bits::OWED);
        match self
            .state
            .fetch_update(Ordering::Release, Ordering::Acquire, wait)
        {
            Ok(_) => Some(Signalled::Later),
            // Whoever ended the waiting had put the trigger there before.
            Err(_) => signal(&self.wire).then_some(Signalled::Now),
        }
    }

    /// Signals the trigger if there is one.
    pub(super) fn loopback(&self) {
        self.wire.signal_unheld();
    }

    /// Gives it a trigger, and signals that if a raise has waited for it.
    pub(super) fn set(&self, trigger: T, patience: &Patience) {
        self.mark_used();
        self.wire.replace(Some(trigger), patience);
        if self.end_waiting() {
            self.wire.signal_unheld();
        }
    }

    /// Takes its trigger away.
    pub(super) fn clear(&self, patience: &Patience) {
        self.wire.replace(None, patience);
        self.end_waiting();
    }

    /// Has it as it was saved.
    pub(super) fn restore(&self, triggered: bool, owed: bool) {
        if self.is_set() {
            if owed {
                self.wire.signal_unheld();
            }
            return;
        }
        self.end_waiting();
        if triggered {
            let owed = if owed { bits::OWED } else { 0 };
            self.state
                .fetch_or(bits::USED | bits::AWAITING | owed, Ordering::Relaxed);
        }
    }

    /// Waits for no trigger any more; says whether a raise did.
    fn end_waiting(&self) -> bool {
        let waiting = bits::AWAITING | bits::OWED;
        self.state.fetch_and(!waiting, Ordering::AcqRel) & bits::OWED != 0
    }
}

/// Vectors in a chunk.
const CHUNK: u32 = 32;

/// The vectors of one index. Nothing is allocated for those that were never
/// touched: the first touch makes the directory, and a chunk of its neighbours.
#[derive(Debug, Default)]
pub(super) struct Bank {
    count: u32,
    chunks: OnceLock<Box<[Chunk]>>,
}

type Chunk = OnceLock<Box<[Cell; CHUNK as usize]>>;

impl Bank {
    /// One of `count` vectors.
    pub(super) fn new(count: u32) -> Self {
        Self {
            count,
            chunks: OnceLock::new(),
        }
    }

    /// How many vectors there are.
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// Vector `vector`, if it is there and was ever touched.
    pub(super) fn get(&self, vector: u32) -> Option<&Cell> {
        if vector >= self.count {
            return None;
        }
        let chunks = self.chunks.get()?;
        let chunk = chunks.get((vector / CHUNK) as usize)?.get()?;
        chunk.get((vector % CHUNK) as usize)
    }

    /// Vector `vector`, made if it was never touched; `None` if it is not there.
    pub(super) fn touch(&self, vector: u32) -> Option<&Cell> {
        if vector >= self.count {
            return None;
        }
        let chunks = self.chunks.get_or_init(|| {
            let chunks = self.count.div_ceil(CHUNK);
            (0..chunks).map(|_| Chunk::new()).collect()
        });
        let chunk = chunks
            .get((vector / CHUNK) as usize)?
            .get_or_init(Default::default);
        chunk.get((vector % CHUNK) as usize)
    }

    /// Every vector that was ever touched, and its neighbours, in order.
    pub(super) fn touched(&self) -> impl Iterator<Item = (u32, &Cell)> {
        let chunks = self
            .chunks
            .get()
            .map(|chunks| &**chunks)
            .unwrap_or_default();
        let numbers = (0..self.count).step_by(CHUNK as usize);
        chunks.iter().zip(numbers).flat_map(move |(chunk, first)| {
            let cells = chunk
                .get()
                .map(|cells| cells.as_slice())
                .unwrap_or_default();
            (first..self.count).zip(cells)
        })
    }
}

#[cfg(all(test, not(loom)))]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use rustix::event::{EventfdFlags, eventfd};
    use rustix::io::{dup, read};
    use std::thread;

    #[test]
    fn a_bank_has_only_the_vectors_it_has() {
        let bank = Bank::new(40);
        assert!(bank.get(0).is_none(), "nothing was touched");
        assert!(bank.touch(39).is_some());
        assert!(bank.touch(40).is_none());
        assert!(bank.get(u32::MAX).is_none());
        let touched: Vec<_> = bank.touched().map(|(vector, _)| vector).collect();
        assert_eq!(touched, (32..40).collect::<Vec<_>>());
    }

    #[test]
    fn a_raise_waits_only_for_a_trigger_that_was_there_when_saved() {
        let cell = Cell::<Trigger>::default();
        assert_eq!(cell.raise(), None);
        cell.restore(true, false);
        assert_eq!(cell.raise(), Some(Signalled::Later));
        assert!(cell.is_owed());
        cell.clear(&Patience::default());
        assert_eq!(cell.raise(), None);
    }

    #[test]
    fn a_raise_that_meets_the_awaited_trigger_is_signalled_by_one_of_them() {
        for round in 0..500 {
            let cell = Cell::<Trigger>::default();
            cell.restore(true, false);
            let fd = eventfd(0, EventfdFlags::NONBLOCK).unwrap();
            let client = dup(&fd).unwrap();
            let (now, later) = thread::scope(|scope| {
                let raiser = scope.spawn(|| {
                    let raised: Vec<_> = (0..4).map(|_| cell.raise().unwrap()).collect();
                    let now = raised.iter().filter(|one| **one == Signalled::Now).count();
                    (now, raised.len() - now)
                });
                if round % 2 == 0 {
                    thread::yield_now();
                }
                cell.set(Trigger::take(fd).unwrap(), &Patience::default());
                raiser.join().unwrap()
            });
            let mut count = [0; 8];
            read(&client, &mut count).unwrap();
            let wanted = now + usize::from(later > 0);
            assert_eq!(u64::from_ne_bytes(count), wanted as u64);
        }
    }

    #[test]
    fn declaring_keeps_the_rest_of_the_state() {
        let cell = Cell::<Trigger>::default();
        cell.mark_used();
        for kind in [Kind::Plain, Kind::Backed, Kind::Emulated] {
            cell.declare(kind);
            assert_eq!(cell.kind(), Some(kind));
            assert!(cell.is_used());
        }
    }
}
