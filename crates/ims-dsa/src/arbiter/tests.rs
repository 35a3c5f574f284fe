// SPDX-License-Identifier: Apache-2.0 OR MIT
use super::*;
use proptest::prelude::*;

/// Queues by number, and their shares.
struct Line {
    arbiter: Arbiter<usize>,
    shares: Vec<Share>,
}

impl Line {
    fn new(priorities: impl IntoIterator<Item = u8>) -> Self {
        Self {
            arbiter: Arbiter::new(),
            shares: priorities.into_iter().map(Share::new).collect(),
        }
    }

    /// Says which queues are ready.
    fn ready(&mut self, is: impl Fn(usize) -> bool) {
        for (queue, share) in self.shares.iter_mut().enumerate() {
            if is(queue) {
                self.arbiter.enter(queue, share);
            } else {
                self.arbiter.leave(share);
            }
        }
    }

    /// Serves who is next, with a descriptor of `cost`.
    fn pick(&mut self, cost: u64) -> Option<usize> {
        let queue = self.arbiter.first()?;
        self.arbiter.serve(&mut self.shares[queue], cost);
        Some(queue)
    }
}

#[test]
fn nothing_ready_means_nobody_is_served() {
    assert_eq!(Line::new([1, 2]).pick(1), None);
    let mut line = Line::new([1]);
    line.ready(|_| true);
    line.ready(|_| false);
    assert_eq!((line.pick(1), line.arbiter.ready()), (None, 0));
}

#[test]
fn an_idle_queue_earns_nothing() {
    let mut line = Line::new([15, 1]);
    line.ready(|queue| queue == 1);
    for _ in 0..100 {
        assert_eq!(line.pick(1), Some(1));
    }
    line.ready(|_| true);
    let first: Vec<_> = (0..16).filter_map(|_| line.pick(1)).collect();
    assert_eq!(first.iter().filter(|queue| **queue == 1).count(), 1);
}

#[test]
fn work_charged_after_it_was_done_counts_and_what_was_too_much_comes_back() {
    let mut line = Line::new([1, 1]);
    line.ready(|_| true);
    assert_eq!(line.pick(1), Some(0));
    line.arbiter.charge(&mut line.shares[0], 9);
    for _ in 0..10 {
        assert_eq!(line.pick(1), Some(1));
    }
    // Both have had ten. Who paid a hundred and used one has had eleven.
    assert_eq!(line.pick(100), Some(0));
    line.arbiter.refund(&mut line.shares[0], 99);
    assert_eq!([line.pick(1), line.pick(1)], [Some(1), Some(0)]);
}

#[test]
fn a_refund_is_no_claim_on_the_past() {
    let mut line = Line::new([1, 1]);
    line.ready(|_| true);
    assert_eq!(line.pick(1), Some(0));
    for _ in 0..50 {
        line.pick(1);
    }
    line.arbiter.refund(&mut line.shares[0], u64::MAX);
    let next: Vec<_> = (0..10).filter_map(|_| line.pick(1)).collect();
    assert!(next.iter().filter(|queue| **queue == 1).count() >= 4);
}

proptest! {
    #[test]
    fn busy_queues_get_exactly_their_share_each_round(
        priorities in prop::collection::vec(PRIORITIES, 1..9),
        rounds in 1usize..5,
        cost in 1u64..1 << 21,
    ) {
        let mut line = Line::new(priorities.iter().copied());
        line.ready(|_| true);
        let sum: usize = priorities.iter().map(|p| usize::from(*p)).sum();
        for _ in 0..rounds {
            let mut served = vec![0; priorities.len()];
            for _ in 0..sum {
                served[line.pick(cost).unwrap()] += 1;
            }
            prop_assert!(served.iter().eq(priorities.iter()));
        }
    }

    #[test]
    fn a_queue_that_stays_ready_is_never_starved_by_others_that_come_and_go(
        priorities in prop::collection::vec(PRIORITIES, 2..9),
        others in prop::collection::vec(any::<u8>(), 400),
    ) {
        let mut line = Line::new(priorities.iter().copied());
        let sum: usize = priorities.iter().map(|p| usize::from(*p)).sum();
        let mut waited = 0;
        for pattern in others {
            line.ready(|queue| queue == 0 || pattern >> (queue % 8) & 1 == 1);
            waited = if line.pick(1) == Some(0) { 0 } else { waited + 1 };
            prop_assert!(waited <= 2 * sum);
        }
    }

    /// Whatever sizes the others' descriptors have: each queue that stays ready has
    /// had its share of the work, but for one descriptor of its own and of theirs.
    #[test]
    fn busy_queues_get_their_share_of_the_work_whatever_their_descriptors_cost(
        queues in prop::collection::vec((PRIORITIES, 1u64..1000), 2..9),
        turns in 100usize..2000,
    ) {
        let mut line = Line::new(queues.iter().map(|(priority, _)| *priority));
        line.ready(|_| true);
        let mut had = vec![0u64; queues.len()];
        for _ in 0..turns {
            let queue = line.arbiter.first().unwrap();
            let (_, cost) = queues[queue];
            line.pick(cost);
            had[queue] += cost;
        }
        let share = |queue: usize| had[queue] as f64 / f64::from(queues[queue].0);
        let one = |queue: usize| queues[queue].1 as f64 / f64::from(queues[queue].0);
        for a in 0..queues.len() {
            for b in 0..queues.len() {
                prop_assert!(share(a) <= share(b) + one(a) + one(b) + 1e-6);
            }
        }
    }

    /// Queues are added and removed, become ready and are served, in any order:
    /// whoever is next is ready, all who are ready are served in the end, and of
    /// those gone nothing is left.
    #[test]
    fn queues_come_and_go_and_the_line_holds_exactly_those_that_are_ready(
        steps in prop::collection::vec((0u8..5, 0usize..16, PRIORITIES, 1u64..5000), 1..300),
    ) {
        let mut arbiter = Arbiter::new();
        let mut shares: Vec<Option<Share>> = (0..16).map(|_| None).collect();
        for (step, at, priority, cost) in steps {
            match (step, &mut shares[at]) {
                (0, none @ None) => *none = Some(Share::new(priority)),
                (0, some @ Some(_)) => {
                    arbiter.leave(some.as_mut().unwrap());
                    *some = None;
                }
                (1, Some(share)) => arbiter.enter(at, share),
                (2, Some(share)) => drop(arbiter.leave(share)),
                (3, Some(share)) => arbiter.charge(share, cost),
                _ => {
                    if let Some(next) = arbiter.first() {
                        let share = shares[next].as_mut().unwrap();
                        prop_assert!(share.is_ready());
                        arbiter.serve(share, cost);
                        arbiter.refund(share, cost / 2);
                    }
                }
            }
            let ready = shares.iter().flatten().filter(|share| share.is_ready()).count();
            prop_assert_eq!(arbiter.ready(), ready);
        }
        while let Some(next) = arbiter.first() {
            let share = shares[next].as_mut().unwrap();
            prop_assert!(share.is_ready());
            arbiter.serve(share, 1);
            arbiter.leave(share);
        }
        prop_assert!(shares.iter().flatten().all(|share| !share.is_ready()));
    }
}
