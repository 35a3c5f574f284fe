// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How many of the server's own commands are on their way, and whether its loop has
//! to look at the time for them.

use ims::sync::{AtomicU32, AtomicUsize, Ordering, fence};

/// Commands that clients have not answered, of all clients.
///
/// # Concurrency
/// Any thread counts; the loop alone goes to sleep. One of a command and a loop that
/// falls asleep sees the other.
#[derive(Debug, Default)]
pub(crate) struct Unanswered {
    count: AtomicUsize,
    /// The loop waits without a limit, or is about to.
    asleep: AtomicU32,
    /// A command was answered lately.
    busy: AtomicU32,
}

impl Unanswered {
    /// One more is on its way; says whether the loop has to be woken.
    #[must_use = "a loop that sleeps does not see that an answer is late"]
    pub(crate) fn asked(&self) -> bool {
        self.count.fetch_add(1, Ordering::Relaxed);
        // Between what this thread says and what it looks at; `may_sleep` has the
        // other one.
        fence(Ordering::SeqCst);
        self.asleep.load(Ordering::Relaxed) != 0 && self.asleep.swap(0, Ordering::Relaxed) != 0
    }

    /// One is answered, or has been given up.
    pub(crate) fn answered(&self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
        self.busy.store(1, Ordering::Relaxed);
    }

    /// The loop is about to wait without a limit; says whether it may.
    pub(crate) fn may_sleep(&self) -> bool {
        self.asleep.swap(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let may = self.count.load(Ordering::Relaxed) == 0;
        if !may {
            self.asleep.swap(0, Ordering::Relaxed);
        }
        may
    }

    /// Whether there was or is one on its way since this was last asked: then more
    /// will come, and need not wake the loop each.
    pub(crate) fn was_busy(&self) -> bool {
        self.busy.swap(0, Ordering::Relaxed) != 0 || self.any()
    }

    /// Whether one is on its way.
    pub(crate) fn any(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 0
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_loop_that_sleeps_is_woken_once_and_one_that_is_busy_not_at_all() {
        let unanswered = Unanswered::default();
        assert!(!unanswered.asked());
        assert!(!unanswered.may_sleep());
        unanswered.answered();
        assert!(unanswered.was_busy() && !unanswered.was_busy());
        assert!(unanswered.may_sleep());
        assert!(unanswered.asked());
        assert!(!unanswered.asked());
    }
}

#[cfg(all(test, loom))]
mod models {
    use super::*;
    use loom::sync::Arc;
    use loom::thread;

    #[test]
    fn loom_unanswered_no_command_meets_a_loop_that_sleeps_and_is_not_woken() {
        loom::model(|| {
            let unanswered = Arc::new(Unanswered::default());
            let loop_thread = {
                let unanswered = Arc::clone(&unanswered);
                thread::spawn(move || unanswered.may_sleep())
            };
            let woken = unanswered.asked();
            let sleeps = loop_thread.join().unwrap();
            assert!(!sleeps || woken, "it sleeps, and an answer may be late");
        });
    }

    #[test]
    fn loom_unanswered_of_two_commands_one_wakes_the_loop() {
        loom::model(|| {
            let unanswered = Arc::new(Unanswered::default());
            assert!(unanswered.may_sleep());
            let other = {
                let unanswered = Arc::clone(&unanswered);
                thread::spawn(move || unanswered.asked())
            };
            let woken = unanswered.asked();
            assert!(woken ^ other.join().unwrap(), "one does, and only one");
        });
    }
}
