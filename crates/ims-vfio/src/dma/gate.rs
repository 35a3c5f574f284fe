// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A gate: it counts who is inside, and once closed tells when the last one left.
//!
//! Every map has one, and so has every time between two stops of the device. Who
//! wants to touch memory goes in first; who takes memory away closes the gate and
//! leaves a [`Hold`] at it.

use std::fmt;
use std::sync::PoisonError;

use crate::hold::Hold;
use crate::sync::{Arc, AtomicU64, Mutex, Ordering, fence};

/// Nobody goes in any more. Below it is the count of who is inside.
const CLOSED: u64 = 1 << 63;

/// A gate. Once closed it stays closed.
pub(crate) struct Gate {
    word: AtomicU64,
    /// What is dropped when the last one has left. A list, because a gate may be
    /// closed again by somebody else who wants to be told; eight bytes while it is
    /// empty, because there is a gate for every map.
    waiting: Mutex<Option<Box<Waiting>>>,
}

struct Waiting {
    _hold: Hold,
    _next: Option<Box<Waiting>>,
}

/// Those who are told that a gate has been left, by dropping this: it may be those
/// who closed it before too, so not under a lock that any of them takes.
#[must_use = "dropped where no lock is held"]
pub(crate) struct Told {
    _waiting: Option<Box<Waiting>>,
}

impl Gate {
    /// A gate that is open, with nobody inside.
    pub(crate) fn new() -> Self {
        Self {
            word: AtomicU64::new(0),
            waiting: Mutex::new(None),
        }
    }

    /// Goes in, if it is open. Who is in must [`leave`](Self::leave).
    pub(crate) fn enter(&self) -> bool {
        // Nothing is read from whoever else was here, so there is nothing to
        // acquire: what counts is that this comes before our own leaving.
        self.word
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |word| {
                (word & CLOSED == 0).then(|| word.saturating_add(1))
            })
            .is_ok()
    }

    /// Goes in once more, open or not: only for who is inside.
    pub(crate) fn enter_again(&self) {
        self.word.fetch_add(1, Ordering::Relaxed);
    }

    /// Leaves; the last one of a closed gate drops what waits.
    pub(crate) fn leave(&self) {
        // What was done inside comes before the count that says so.
        if self.word.fetch_sub(1, Ordering::Release) == CLOSED | 1 {
            // And after what all the others did inside.
            fence(Ordering::Acquire);
            drop(self.told());
        }
    }

    /// Lets nobody in any more; `hold` is dropped when the last one has left. If that
    /// is so now, it is in what is returned.
    pub(crate) fn close(&self, hold: Hold) -> Told {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let next = waiting.take();
        *waiting = Some(Box::new(Waiting {
            _hold: hold,
            _next: next,
        }));
        drop(waiting);
        // Whoever leaves after this finds the gate closed, and the hold in place. If
        // nobody is inside, what they did there comes before what we go on to do.
        if self.word.fetch_or(CLOSED, Ordering::Acquire) & !CLOSED == 0 {
            self.told()
        } else {
            Told { _waiting: None }
        }
    }

    /// Takes those who wait, to be told.
    fn told(&self) -> Told {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        Told {
            _waiting: waiting.take(),
        }
    }

    /// Whether it is closed, or was at some time not long ago; a hint to stop.
    pub(crate) fn is_closed(&self) -> bool {
        self.word.load(Ordering::Relaxed) & CLOSED != 0
    }

    /// Whether anybody is inside. If not, what they did there comes before.
    pub(crate) fn is_occupied(&self) -> bool {
        self.word.load(Ordering::Acquire) & !CLOSED != 0
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").finish_non_exhaustive()
    }
}

/// Being inside a gate of one's own; left when dropped.
#[derive(Debug)]
pub(crate) struct Pass {
    gate: Arc<Gate>,
}

impl Pass {
    /// Goes in, `None` if it is closed.
    pub(crate) fn enter(gate: &Arc<Gate>) -> Option<Self> {
        gate.enter().then(|| Self {
            gate: Arc::clone(gate),
        })
    }

    /// Whether whoever is inside should come out.
    pub(crate) fn is_ended(&self) -> bool {
        self.gate.is_closed()
    }
}

impl Clone for Pass {
    fn clone(&self) -> Self {
        self.gate.enter_again();
        Self {
            gate: Arc::clone(&self.gate),
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.gate.leave();
    }
}
