// SPDX-License-Identifier: Apache-2.0 OR MIT
//! When the forwarder commits.

use std::time::{Duration, Instant};

use super::inbox::Haste;

/// How long the first that wants a route waits for others.
const GATHER: Duration = Duration::from_millis(1);
/// Rest after a commit, in times of what it took: a twentieth of the time is spent.
const REST: u32 = 19;
/// Rest after a commit that failed, doubled with each further one.
const AFTER_FAILURE: Duration = Duration::from_millis(10);
/// Doublings of that.
const DOUBLINGS: u32 = 7;

/// Spends no more than a small part of the time on commits. Each of them rewrites the
/// whole table and waits for the kernel's readers of the old one, so many changes
/// are to share one.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// When something was first seen waiting.
    since: Option<Instant>,
    rest_until: Option<Instant>,
    failures: u32,
}

impl Pace {
    /// When to commit what waits at `now`: `now` if at once.
    pub(crate) fn due(&mut self, now: Instant, haste: Haste) -> Instant {
        let since = *self.since.get_or_insert(now);
        let rested = self.rest_until.unwrap_or(now);
        match haste {
            // Rest it must: a guest that enables and disables without end asks for this.
            Haste::Now => rested.max(now),
            Haste::Gather => rested.max(after(since, GATHER)).max(now),
        }
    }

    /// A commit ended at `now`; it took `took`. None if no call was needed.
    pub(crate) fn done(&mut self, now: Instant, took: Option<Duration>, ok: bool) {
        self.since = None;
        if ok {
            self.failures = 0;
        }
        let mut rest = took.unwrap_or_default().saturating_mul(REST);
        if !ok {
            let times = 1_u32 << self.failures.min(DOUBLINGS);
            rest = rest.max(AFTER_FAILURE.saturating_mul(times));
            self.failures = self.failures.saturating_add(1);
        }
        self.rest_until = Some(after(now, rest));
    }
}

/// A time later; the same if there is no such time.
fn after(time: Instant, by: Duration) -> Instant {
    time.checked_add(by).unwrap_or(time)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn what_can_wait_gathers_and_what_cannot_does_not() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        assert_eq!(pace.due(start, Haste::Gather), start + GATHER);
        assert_eq!(pace.due(start + MS / 2, Haste::Gather), start + GATHER);
        assert_eq!(pace.due(start + 3 * MS, Haste::Gather), start + 3 * MS);
        assert_eq!(pace.due(start, Haste::Now), start);
    }

    #[test]
    fn commits_take_a_twentieth_of_the_time() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        pace.done(start, Some(2 * MS), true);
        assert_eq!(pace.due(start + MS, Haste::Gather), start + 38 * MS);
        assert_eq!(
            pace.due(start + MS, Haste::Now),
            start + 38 * MS,
            "also when urgent: a guest may be, without end"
        );
    }

    #[test]
    fn failures_are_tried_again_less_and_less_often_also_when_urgent() {
        let (mut pace, start) = (Pace::default(), Instant::now());
        let mut rests = Vec::new();
        for _ in 0..12 {
            pace.done(start, Some(Duration::ZERO), false);
            rests.push(pace.due(start, Haste::Now) - start);
        }
        assert_eq!(rests.first(), Some(&AFTER_FAILURE));
        assert!(rests.is_sorted(), "{rests:?}");
        assert_eq!(rests.last(), Some(&(AFTER_FAILURE * 128)));
        pace.done(start, Some(Duration::ZERO), true);
        assert_eq!(pace.due(start, Haste::Now), start);
    }
}
