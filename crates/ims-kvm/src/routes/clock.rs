// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Second chance: who gives a GSI up when there are more busy eventfds than GSIs.
//!
//! ```text
//!        hand ──▶                       demoted: watched, route stands
//!     ┌───┬───┬───┬───┬───┬───┐            fires ──▶ an irqfd again, at once
//!     │gsi│gsi│gsi│gsi│gsi│gsi│   ──▶ trial ┤
//!     └───┴───┴───┴───┴───┴───┘            quiet ──▶ its GSI goes to one that waits
//! ```
//!
//! Nobody sees how busy an irqfd is: KVM reads it. So the hand goes over the GSIs and
//! puts a few lines on trial at a time. The order of things is kept here; the lines
//! are somebody else's.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The shortest trial, and how often a batch begins one while it pays.
const SHORT: Duration = Duration::from_millis(4);
/// The longest: when nearly all on trial prove busy, moving them about is waste.
const LONG: Duration = Duration::from_millis(32);
/// Lines that a batch puts on trial, at least and at most.
const BATCH: (usize, usize) = (8, 256);
/// Rest after a part of a batch, in times of what it took: a quarter of the time is
/// spent.
const REST: u32 = 3;

/// The hand, and who is on trial.
#[derive(Debug)]
pub(crate) struct Clock {
    /// The GSI that the hand looks at next.
    hand: u32,
    trials: VecDeque<Trial>,
    /// How long a trial lasts now.
    length: Duration,
    next_batch: Option<Instant>,
    /// There is more of this batch.
    begun: bool,
    /// Trials that ended so and so since the last batch.
    quiet: u32,
    busy: u32,
}

#[derive(Debug, Clone, Copy)]
struct Trial {
    gsi: u32,
    since: Instant,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self {
            hand: 0,
            trials: VecDeque::new(),
            length: SHORT,
            next_batch: None,
            begun: false,
            quiet: 0,
            busy: 0,
        }
    }

    /// A GSI whose trial is over, and which `lose` says was quiet and lets go.
    pub(crate) fn reclaim(
        &mut self,
        now: Instant,
        mut lose: impl FnMut(u32) -> bool,
    ) -> Option<u32> {
        while let Some(trial) = self.trials.front().copied() {
            if now.saturating_duration_since(trial.since) < self.length {
                return None;
            }
            self.trials.pop_front();
            if lose(trial.gsi) {
                self.quiet = self.quiet.saturating_add(1);
                return Some(trial.gsi);
            }
            self.busy = self.busy.saturating_add(1);
        }
        None
    }

    /// Puts some on trial for `waiting` busy lines without a GSI, a batch in all, as many
    /// as `next` lets it. `next` is the lowest GSI in use from one on; `demote` says
    /// whether a line is on trial from now on. When to go on with the batch, if there
    /// is more of it.
    pub(crate) fn advance(
        &mut self,
        now: Instant,
        waiting: usize,
        next: impl Fn(u32) -> Option<u32>,
        mut demote: impl FnMut(u32) -> bool,
    ) -> Option<Instant> {
        if self.next_batch.is_some_and(|at| now < at) {
            return self.next_batch.filter(|_| self.begun);
        }
        let (least, most) = BATCH;
        let batch = waiting.saturating_mul(2).clamp(least, most);
        let reserve = self.trials.len();
        if waiting == 0 || !self.begun && waiting <= reserve {
            return None;
        }
        if !self.begun {
            self.adapt();
            self.begun = true;
        }
        let mut wanted = batch.saturating_sub(reserve);
        let first = next(self.hand).or_else(|| next(0));
        if first.is_none() {
            wanted = 0;
        }
        let mut at = first;
        while wanted > 0
            && let Some(gsi) = at
        {
            if demote(gsi) {
                self.trials.push_back(Trial { gsi, since: now });
                wanted -= 1;
            }
            self.hand = gsi.saturating_add(1);
            at = next(self.hand).or_else(|| next(0));
            // Once around: all there are.
            if at == first {
                wanted = 0;
            }
        }
        self.begun = wanted > 0;
        self.next_batch = now.checked_add(self.length);
        None
    }

    /// Whether a batch is to go on.
    pub(crate) fn has_begun(&self) -> bool {
        self.begun
    }

    /// A part of a batch, or all of it, took so long. When to go on, if there is more.
    pub(crate) fn spent(&mut self, now: Instant, took: Duration) -> Option<Instant> {
        let rest = took.saturating_mul(REST);
        let rested = now.checked_add(rest);
        if self.begun {
            self.next_batch = rested;
            return rested;
        }
        self.next_batch = self.next_batch.max(rested);
        None
    }

    /// Longer trials while nearly all come back, short ones when it pays.
    fn adapt(&mut self) {
        let (quiet, busy) = (
            std::mem::take(&mut self.quiet),
            std::mem::take(&mut self.busy),
        );
        if busy > quiet.saturating_mul(3) {
            self.length = self.length.saturating_mul(2).min(LONG);
        } else if quiet > 0 {
            self.length = SHORT;
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    /// Lines by GSI, each always or never busy: a busy one fires as soon as it is
    /// demoted.
    struct Lines {
        busy: BTreeMap<u32, bool>,
        trial: BTreeSet<u32>,
    }

    impl Lines {
        /// What a round does with so many busy lines that wait; the GSIs they got.
        fn round(&mut self, clock: &mut Clock, now: Instant, waiting: usize) -> Vec<u32> {
            let (busy, trial) = (&mut self.busy, &mut self.trial);
            let mut got = Vec::new();
            while got.len() < waiting
                && let Some(gsi) = clock.reclaim(now, |gsi| trial.remove(&gsi))
            {
                got.push(gsi);
                // Whoever gets it is.
                busy.insert(gsi, true);
            }
            let next = |from| busy.range(from..).next().map(|(gsi, _)| *gsi);
            let left = waiting - got.len();
            clock.advance(now, left, next, |gsi| trial.insert(gsi));
            trial.retain(|gsi| !busy.get(gsi).is_some_and(|busy| *busy));
            got
        }
    }

    proptest! {
        #[test]
        fn the_busy_keep_their_gsis_and_the_quiet_give_them_up_in_time(
            busy in proptest::collection::btree_map(0..500_u32, any::<bool>(), 1..300),
            waiting in 1..200_usize,
        ) {
            let quiet: BTreeSet<_> =
                busy.iter().filter(|(_, busy)| !**busy).map(|(gsi, _)| *gsi).collect();
            let (all, mut now) = (busy.len(), Instant::now());
            let mut lines = Lines { busy, trial: BTreeSet::new() };
            let (mut clock, mut got) = (Clock::new(), BTreeSet::new());
            let mut left = waiting;
            // The hand is around after so many batches, each of a trial's length.
            for _ in 0..2 * (all / BATCH.0 + 2) {
                let gsis = lines.round(&mut clock, now, left);
                left -= gsis.len();
                for gsi in gsis {
                    prop_assert!(quiet.contains(&gsi), "{gsi} was busy");
                    prop_assert!(got.insert(gsi), "{gsi} twice");
                }
                now += LONG;
            }
            prop_assert_eq!(got.len(), quiet.len().min(waiting));
        }

        #[test]
        fn a_batch_demotes_no_more_than_the_most_and_none_without_need(
            gsis in proptest::collection::btree_set(0..5000_u32, 0..500),
            waiting in 0..10_000_usize,
        ) {
            let (mut clock, now) = (Clock::new(), Instant::now());
            let next = |from| gsis.range(from..).next().copied();
            let mut demoted = BTreeSet::new();
            clock.advance(now, waiting, next, |gsi| demoted.insert(gsi));
            prop_assert!(demoted.len() <= BATCH.1);
            prop_assert_eq!(demoted.is_empty(), waiting == 0 || gsis.is_empty());
            let before = demoted.len();
            clock.advance(now, waiting, next, |gsi| demoted.insert(gsi));
            prop_assert_eq!(demoted.len(), before, "not before a trial has passed");
        }
    }

    #[test]
    fn trials_grow_longer_while_all_are_busy_and_short_again_when_it_pays() {
        let mut lines = Lines {
            busy: (0..100).map(|gsi| (gsi, true)).collect(),
            trial: BTreeSet::new(),
        };
        let (mut clock, mut now) = (Clock::new(), Instant::now());
        for _ in 0..20 {
            assert!(lines.round(&mut clock, now, 5).is_empty());
            now += LONG;
        }
        assert_eq!(clock.length, LONG);
        lines.busy.values_mut().for_each(|busy| *busy = false);
        for _ in 0..3 {
            lines.round(&mut clock, now, 5);
            now += LONG;
        }
        // A batch of more than were given out before.
        lines.round(&mut clock, now, 50);
        assert_eq!(clock.length, SHORT);
    }
}
