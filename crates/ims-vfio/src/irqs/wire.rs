// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The wire of one interrupt: from its raisers to the trigger it has.

use super::patience::Patience;
use super::trigger::Trigger;
use crate::sync::Place;

/// What is signalled: an eventfd, or a count in a model.
pub(super) trait Sign {
    /// Signals it once.
    fn give(&self);

    /// Signals it once, for a thread that nobody may hold.
    fn give_unheld(&self) {
        self.give();
    }
}

/// Where the trigger of one interrupt is, for raisers to find.
///
/// # Concurrency
/// [`Wire::signal`] takes no lock and runs beside everything; [`Wire::replace`] is
/// called by one thread at a time.
#[derive(Debug)]
pub(super) struct Wire<T = Trigger>(Place<T>);

impl<T> Default for Wire<T> {
    fn default() -> Self {
        Self(Place::default())
    }
}

impl<T: Sign> Wire<T> {
    /// One that has `trigger`.
    pub(super) fn new(trigger: T) -> Self {
        Self(Place::of(trigger))
    }

    /// Signals the trigger; false if there is none.
    pub(super) fn signal(&self) -> bool {
        self.0.look(T::give).is_some()
    }

    /// The same, for whoever has the device's lock.
    pub(super) fn signal_unheld(&self) -> bool {
        self.0.look(T::give_unheld).is_some()
    }

    /// Whether there is a trigger.
    pub(super) fn is_set(&self) -> bool {
        self.0.look(|_| ()).is_some()
    }

    /// Puts `trigger` in the place of the one there is, in one swap, and waits for
    /// the raisers that found the old one. So a raise is written to the old one
    /// before this returns, or to the new one; never to neither, and never to the
    /// old one afterwards.
    ///
    /// Unless `patience` ends first. Then a raiser may be held in its write to the
    /// old one, or come to it later; the new one is signalled in its stead, once,
    /// which is one signal too many if the raiser gets through.
    pub(super) fn replace(&self, trigger: Option<T>, patience: &Patience) {
        if let Some(old) = self.0.replace(trigger)
            && !patience.wait(old)
        {
            self.signal_unheld();
        }
    }
}

#[cfg(all(test, not(loom)))]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use rustix::event::{EventfdFlags, eventfd};
    use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
    use rustix::io::{dup, read, write};
    use std::os::fd::OwnedFd;
    use std::sync::Arc;
    use std::thread;
    use std::time::{Duration, Instant};

    fn pair() -> (Trigger, OwnedFd) {
        let fd = eventfd(0, EventfdFlags::NONBLOCK).unwrap();
        let client = dup(&fd).unwrap();
        (Trigger::take(fd).unwrap(), client)
    }

    fn count(fd: &OwnedFd) -> u64 {
        let mut bytes = [0; 8];
        read(fd, &mut bytes).map_or(0, |_| u64::from_ne_bytes(bytes))
    }

    #[test]
    fn nothing_is_written_to_the_old_eventfd_once_it_is_replaced() {
        let patience = Patience::default();
        let wire = Arc::new(Wire::default());
        let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let raisers: Vec<_> = (0..3)
            .map(|_| {
                let (wire, stop) = (Arc::clone(&wire), Arc::clone(&stop));
                thread::spawn(move || {
                    let mut raised = 0;
                    while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                        raised += u64::from(wire.signal());
                        thread::yield_now();
                    }
                    raised
                })
            })
            .collect();
        let mut seen = 0;
        for round in 0..200 {
            let (trigger, client) = pair();
            wire.replace(Some(trigger), &patience);
            if round % 3 != 0 {
                thread::yield_now();
            }
            wire.replace(None, &patience);
            seen += count(&client);
            thread::yield_now();
            if !patience.is_lost() {
                assert_eq!(count(&client), 0, "written to after it was replaced");
            }
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        let raised: u64 = raisers.into_iter().map(|one| one.join().unwrap()).sum();
        if !patience.is_lost() {
            assert_eq!(seen, raised);
        }
    }

    /// Makes `fd` full, and blocking for everybody who has it open.
    fn fill(fd: &OwnedFd) {
        write(fd, &(u64::MAX - 1).to_ne_bytes()).unwrap();
        let flags = fcntl_getfl(fd).unwrap();
        fcntl_setfl(fd, flags - OFlags::NONBLOCK).unwrap();
    }

    #[test]
    fn a_raiser_that_is_held_is_waited_for_once_and_its_signal_is_given_for_it() {
        let (wire, patience) = (Wire::default(), Patience::default());
        let (trigger, held) = pair();
        wire.replace(Some(trigger), &patience);
        fill(&held);
        thread::scope(|scope| {
            let raiser = scope.spawn(|| wire.signal());
            // Long enough for the raiser to be inside; it does not come out.
            thread::sleep(Duration::from_millis(100));
            let start = Instant::now();
            let (second, client) = pair();
            wire.replace(Some(second), &patience);
            let waited = start.elapsed();
            assert!(waited >= Duration::from_millis(20), "{waited:?}");
            assert!(waited < Duration::from_secs(5), "{waited:?}");
            assert!(patience.is_lost());
            assert_eq!(count(&client), 1, "in the raiser's stead");
            assert!(!raiser.is_finished());
            // Nobody is inside this one: nothing is given for anybody.
            let (third, last) = pair();
            wire.replace(Some(third), &patience);
            assert_eq!((count(&client), count(&last)), (0, 0));
            assert_eq!(count(&held), u64::MAX - 1);
            assert!(raiser.join().unwrap());
        });
    }

    #[test]
    fn who_has_the_lock_is_not_held_by_an_eventfd_made_blocking_again() {
        let (wire, patience) = (Wire::default(), Patience::default());
        let (trigger, client) = pair();
        wire.replace(Some(trigger), &patience);
        fill(&client);
        // In a thread, so that a failure is a failure and no hang.
        let wire = Arc::new(wire);
        let signalling = thread::spawn({
            let wire = Arc::clone(&wire);
            move || wire.signal_unheld()
        });
        let start = Instant::now();
        while !signalling.is_finished() && start.elapsed() < Duration::from_secs(10) {
            thread::sleep(Duration::from_millis(1));
        }
        assert!(signalling.is_finished(), "held");
        assert!(signalling.join().unwrap());
        assert_eq!(count(&client), u64::MAX - 1);
        assert!(wire.signal_unheld());
        assert_eq!(count(&client), 1);
    }
}
