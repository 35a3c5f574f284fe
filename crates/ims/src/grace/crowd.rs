// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The same for raisers that nobody knows: any thread may come, once or often.
//!
//! Instead of a number for each raiser there is a counter of those inside. Two of
//! them, so that a stream of new raisers keeps nobody waiting: who waits sends
//! newcomers to the other counter, and waits until this one is zero; then once
//! more with the counters' parts exchanged.
//!
//! All raisers write one cache line. Where a raise is a system call that is
//! nothing; where it is a few stores, give each raiser its own place
//! ([`super::Grace`]).

use crate::sync::{AtomicU64, Ordering, Padded};

/// Raisers that come from anywhere, and the wait for them.
#[derive(Debug, Default)]
pub struct Crowd {
    /// Its lowest bit: the counter that newcomers use.
    phase: AtomicU64,
    inside: [Padded<AtomicU64>; 2],
}

/// Proof that somebody is inside: entries that were read stay valid until it is
/// dropped. Never wait for the crowd while the same thread has one.
#[derive(Debug)]
#[must_use = "dropped at once, it protects nothing"]
pub struct Visit<'a> {
    inside: &'a AtomicU64,
}

impl Crowd {
    /// Nobody is inside.
    pub fn new() -> Self {
        Self::default()
    }

    fn counter(&self, phase: u64) -> &AtomicU64 {
        let [Padded(even), Padded(odd)] = &self.inside;
        if phase.is_multiple_of(2) { even } else { odd }
    }

    /// Goes inside. No lock, no wait.
    #[inline]
    pub fn enter(&self) -> Visit<'_> {
        // Relaxed: either counter will do; who waits looks at both.
        let inside = self.counter(self.phase.load(Ordering::Relaxed));
        // Acquire: who comes after a look of one that waits sees what that one wrote
        // before; who comes earlier is seen.
        inside.fetch_add(1, Ordering::Acquire);
        Visit { inside }
    }

    /// Waits until everyone who is inside now has left. What was written before
    /// is seen by everyone who enters after it returns.
    ///
    /// Raisers keep one that waits no longer than they stay inside; several that
    /// wait at once may send newcomers to each other's counter, so let one wait at
    /// a time.
    pub fn wait(&self) {
        for _ in 0..2 {
            let phase = self.phase.fetch_add(1, Ordering::Relaxed);
            let inside = self.counter(phase);
            #[cfg(not(loom))]
            let mut looks = 0;
            // A read-modify-write, so that it and every entry come one after the
            // other. Release: later ones see what was written. Acquire: what was done
            // inside is seen.
            while inside.fetch_add(0, Ordering::AcqRel) != 0 {
                #[cfg(not(loom))]
                crate::sync::relax(&mut looks);
                #[cfg(loom)]
                loom::thread::yield_now();
            }
        }
    }
}

impl Drop for Visit<'_> {
    #[inline]
    fn drop(&mut self) {
        // Release: whoever sees this sees all that was done inside.
        self.inside.fetch_sub(1, Ordering::Release);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    #[test]
    fn nobody_is_waited_for_when_nobody_is_inside() {
        let crowd = Crowd::new();
        drop(crowd.enter());
        crowd.wait();
        crowd.wait();
    }

    #[test]
    fn one_inside_is_waited_for() {
        let (crowd, left) = (Crowd::new(), AtomicBool::new(false));
        let visit = crowd.enter();
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| {
                crowd.wait();
                assert!(left.load(Ordering::SeqCst), "returned too early");
            });
            // Until newcomers are sent elsewhere: then the other one waits.
            while crowd.phase.load(Ordering::SeqCst) == 0 {
                std::thread::yield_now();
            }
            left.store(true, Ordering::SeqCst);
            drop(visit);
            waiter.join().unwrap();
        });
    }

    #[test]
    fn newcomers_keep_nobody_waiting() {
        let (crowd, stop) = (Crowd::new(), AtomicBool::new(false));
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    // Never out for a moment: the next visit begins before one ends.
                    let mut visit = crowd.enter();
                    while !stop.load(Ordering::SeqCst) {
                        let next = crowd.enter();
                        drop(std::mem::replace(&mut visit, next));
                    }
                });
            }
            for _ in 0..100 {
                crowd.wait();
            }
            stop.store(true, Ordering::SeqCst);
        });
    }
}
