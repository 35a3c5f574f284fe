// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which of a group's queues is served next: by priority, starving none.

/// The lowest priority, and the highest (WQCFG, 9.2.24).
pub const PRIORITIES: core::ops::RangeInclusive<u8> = 1..=15;

/// Smooth weighted round robin.
///
/// At each turn every ready queue earns its priority and the richest pays the
/// sum of what was earned. Among queues that stay ready each gets exactly its
/// share in any stretch of turns as long as the sum, and its turns lie evenly.
#[derive(Debug)]
pub(crate) struct Arbiter {
    queues: Vec<Share>,
}

#[derive(Debug, Clone, Copy)]
struct Share {
    priority: i64,
    credit: i64,
}

impl Arbiter {
    pub(crate) fn new(priorities: impl IntoIterator<Item = u8>) -> Self {
        let share = |priority: u8| Share {
            priority: priority.into(),
            credit: 0,
        };
        Self {
            queues: priorities.into_iter().map(share).collect(),
        }
    }

    /// Changes a queue's priority from its next turn on.
    pub(crate) fn set_priority(&mut self, queue: usize, priority: u8) {
        if let Some(share) = self.queues.get_mut(queue) {
            *share = Share {
                priority: priority.into(),
                credit: 0,
            };
        }
    }

    /// The next of the queues that are `ready`.
    ///
    /// One that is not ready loses what it had earned: a queue cannot save up
    /// while empty and then shut others out.
    pub(crate) fn pick(&mut self, ready: impl Fn(usize) -> bool) -> Option<usize> {
        let mut earned = 0;
        let mut richest: Option<(usize, i64)> = None;
        for (queue, share) in self.queues.iter_mut().enumerate() {
            if !ready(queue) {
                share.credit = 0;
                continue;
            }
            share.credit += share.priority;
            earned += share.priority;
            if richest.is_none_or(|(_, credit)| share.credit > credit) {
                richest = Some((queue, share.credit));
            }
        }
        let (queue, _) = richest?;
        if let Some(share) = self.queues.get_mut(queue) {
            share.credit -= earned;
        }
        Some(queue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_ready_means_nobody_is_served() {
        assert_eq!(Arbiter::new([1, 2]).pick(|_| false), None);
        assert_eq!(Arbiter::new([]).pick(|_| true), None);
    }

    #[test]
    fn an_idle_queue_earns_nothing() {
        let mut arbiter = Arbiter::new([15, 1]);
        for _ in 0..100 {
            assert_eq!(arbiter.pick(|queue| queue == 1), Some(1));
        }
        let first: Vec<_> = (0..16).filter_map(|_| arbiter.pick(|_| true)).collect();
        assert_eq!(first.iter().filter(|queue| **queue == 1).count(), 1);
    }

    proptest! {
        #[test]
        fn busy_queues_get_exactly_their_share_each_round(
            priorities in prop::collection::vec(PRIORITIES, 1..9),
            rounds in 1usize..5,
        ) {
            let mut arbiter = Arbiter::new(priorities.iter().copied());
            let sum: usize = priorities.iter().map(|p| usize::from(*p)).sum();
            for _ in 0..rounds {
                let mut served = vec![0; priorities.len()];
                for _ in 0..sum {
                    served[arbiter.pick(|_| true).unwrap()] += 1;
                }
                prop_assert!(served.iter().eq(priorities.iter()));
            }
        }

        #[test]
        fn a_queue_that_stays_ready_is_never_starved_by_others_that_come_and_go(
            priorities in prop::collection::vec(PRIORITIES, 2..9),
            others in prop::collection::vec(any::<u8>(), 400),
        ) {
            let mut arbiter = Arbiter::new(priorities.iter().copied());
            let sum: usize = priorities.iter().map(|p| usize::from(*p)).sum();
            let mut waited = 0;
            for pattern in others {
                let picked = arbiter.pick(|queue| queue == 0 || pattern >> (queue % 8) & 1 == 1);
                waited = if picked == Some(0) { 0 } else { waited + 1 };
                prop_assert!(waited <= 2 * sum);
            }
        }
    }
}
