// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Waiting until no raiser can still hold an old entry.
//!
//! A raiser reads a slot, then a remap entry, then posts. Between two of these
//! steps it may be preempted for as long as the scheduler likes, so changing or
//! freeing an entry is not over when the new value is written: someone may still
//! act on the old one. Each thread that raises has a number of its own, odd while
//! it is inside; the control half changes the entry and then waits for every
//! number that it found odd to change.
//!
//! ```text
//!   raiser     store odd ── gate: RMW ── read slot, entry; post ── store even
//!                             ║ read-modify-writes of one gate, so one comes
//!                             ║ first: the raiser sees the new entry, or is seen
//!   control    write ──── gate: RMW ── look: odd? wait until it changes
//! ```

mod crowd;

use alloc::sync::Arc;
use alloc::vec::Vec;

#[cfg(not(loom))]
use crate::sync::relax;
use crate::sync::{AtomicU64, Ordering, Padded};

pub use crowd::{Crowd, Visit};

/// The control half: knows every raiser, and waits for them.
#[derive(Debug, Default)]
pub struct Grace {
    raisers: Vec<Arc<Padded<Presence>>>,
    /// The raising thread of a model. A model checker cannot explore a loop that
    /// looks until another thread has moved on, so a model's wait joins instead.
    #[cfg(loom)]
    pub(crate) device: core::cell::RefCell<Option<loom::thread::JoinHandle<()>>>,
}

/// Where one raiser is, on a cache line of its own.
#[derive(Debug)]
struct Presence {
    /// Odd while inside; only the raiser writes it.
    entered: AtomicU64,
    /// What both sides write between writing and reading.
    gate: AtomicU64,
}

/// One thread's right to raise. Made by [`Grace::raiser`].
#[derive(Debug)]
pub struct Raiser {
    presence: Arc<Padded<Presence>>,
    entered: u64,
}

/// Proof that its raiser is inside: entries that were read stay valid until it
/// is dropped.
///
/// Several interrupts may be raised in one flight, which saves the entry of each
/// but the first; a control half that waits, waits for the whole flight, so keep
/// it short and never wait for the control half inside.
#[derive(Debug)]
pub struct Flight<'a> {
    raiser: &'a mut Raiser,
}

/// The raisers that were inside at one moment.
#[derive(Debug, Default)]
pub struct Ticket {
    inside: Vec<(Arc<Padded<Presence>>, u64)>,
}

impl Grace {
    /// Nobody raises yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A raiser for one more thread. Dropping it takes it out again.
    pub fn raiser(&mut self) -> Raiser {
        self.raisers
            .retain(|presence| Arc::strong_count(presence) > 1);
        let presence = Presence {
            entered: AtomicU64::new(0),
            gate: AtomicU64::new(0),
        };
        let presence = Arc::new(Padded(presence));
        self.raisers.push(Arc::clone(&presence));
        Raiser {
            presence,
            entered: 0,
        }
    }

    /// Looks who is inside now. What was written before this call is seen by
    /// everyone who enters later.
    pub fn ticket(&self) -> Ticket {
        let mut inside = Vec::new();
        for presence in &self.raisers {
            // Release: one who passes the gate later sees what was written before.
            // Acquire: one who passed it earlier is seen inside.
            presence.0.gate.fetch_add(1, Ordering::AcqRel);
            let seen = presence.0.entered.load(Ordering::Acquire);
            if seen % 2 == 1 {
                inside.push((Arc::clone(presence), seen));
            }
        }
        Ticket { inside }
    }

    /// Waits until everyone who is inside now has left.
    ///
    /// Never call it inside a [`Flight`] of the same thread.
    pub fn wait(&self) {
        let mut ticket = self.ticket();
        #[cfg(not(loom))]
        let mut looks = 0;
        while !ticket.has_passed() {
            #[cfg(not(loom))]
            relax(&mut looks);
            #[cfg(loom)]
            self.device
                .take()
                .expect("nobody left to wait for")
                .join()
                .unwrap();
        }
    }
}

impl Ticket {
    /// Whether nobody was inside.
    pub fn is_empty(&self) -> bool {
        self.inside.is_empty()
    }

    /// Whether all of them have left since. Once true it stays true.
    pub fn has_passed(&mut self) -> bool {
        self.inside
            .retain(|(presence, seen)| presence.0.entered.load(Ordering::Acquire) == *seen);
        self.inside.is_empty()
    }
}

impl Raiser {
    /// Goes inside.
    #[inline]
    pub fn enter(&mut self) -> Flight<'_> {
        self.entered = self.entered.wrapping_add(1);
        let Padded(presence) = &*self.presence;
        // Release: who waits for the last flight may see this one in its stead, and
        // then sees all that was done in the last.
        presence.entered.store(self.entered, Ordering::Release);
        // Release: a control half that comes later sees this raiser inside.
        // Acquire: if it came earlier, its new entry is seen.
        presence.gate.fetch_add(1, Ordering::AcqRel);
        Flight { raiser: self }
    }
}

impl Drop for Flight<'_> {
    #[inline]
    fn drop(&mut self) {
        self.raiser.entered = self.raiser.entered.wrapping_add(1);
        // Release: whoever sees this sees all that was done inside.
        self.raiser
            .presence
            .0
            .entered
            .store(self.raiser.entered, Ordering::Release);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_passes_at_once_when_nobody_is_inside() {
        let mut grace = Grace::new();
        let mut raiser = grace.raiser();
        drop(raiser.enter());
        assert!(grace.ticket().has_passed());
    }

    #[test]
    fn a_ticket_waits_for_those_inside_and_for_no_later_one() {
        let mut grace = Grace::new();
        let mut early = grace.raiser();
        let mut late = grace.raiser();
        let flight = early.enter();
        let mut ticket = grace.ticket();
        let _late = late.enter();
        assert!(!ticket.has_passed());
        drop(flight);
        let _again = early.enter();
        assert!(ticket.has_passed());
    }

    #[test]
    fn a_dropped_raiser_is_forgotten() {
        let mut grace = Grace::new();
        drop(grace.raiser());
        let _kept = grace.raiser();
        assert_eq!(grace.raisers.len(), 1);
    }
}
