// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One commit: what waits is looked at, and what wants a route gets one, in one call.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::inbox::Pending;
use super::table::{Routed, Table};
use crate::error::CommitError;
use crate::lines::{Demoted, Route, VmLine, Wish};
use crate::sync::Ordering;
use crate::vm::Vm;

/// How long to demote at a time. To detach an irqfd waits for the kernel's readers and
/// one of its workers: microseconds, or milliseconds where CPUs are scarce; and what is
/// written to others waits meanwhile.
const DEMOTING: Duration = Duration::from_millis(1);

/// What came of a round.
pub(crate) struct Round<V: Vm> {
    pub(crate) result: Result<(), CommitError>,
    /// Lines whose route stands: to be promoted, by whoever asked for the round.
    pub(crate) standing: Vec<Arc<VmLine<V>>>,
    /// Lines to be put before a later round.
    pub(crate) again: Vec<Arc<VmLine<V>>>,
    /// Lines that wanted a GSI when there was none.
    pub(crate) waiting: usize,
    /// Routes in KVM's table, pins included.
    pub(crate) routes: usize,
}

/// A route that the table is to have from now on.
struct Change<V: Vm> {
    route: Route,
    line: Arc<VmLine<V>>,
    /// What was at its GSI: the line's own, or that of one that lost it.
    was: Option<(Routed<V>, Route)>,
}

impl<V: Vm> Table<V> {
    /// Looks at what waits, and commits if that changed the table.
    pub(crate) fn round(&mut self, pending: Pending<VmLine<V>>, now: Instant) -> Round<V> {
        self.retire(pending.closed);
        let mut round = Round {
            result: Ok(()),
            standing: Vec::new(),
            again: Vec::new(),
            waiting: 0,
            routes: 0,
        };
        let (mut changes, mut waiting) = (Vec::new(), 0_usize);
        for line in pending.wanting {
            match line.consider() {
                Wish::Nothing => {}
                Wish::Stands => round.standing.push(line),
                Wish::Route {
                    from,
                    message,
                    gsi,
                    busy,
                } => {
                    let Some((gsi, was)) = self.place(&line, gsi, busy, now) else {
                        round.waiting = round.waiting.saturating_add(1);
                        waiting = waiting.saturating_add(usize::from(busy));
                        continue;
                    };
                    let route = Route { gsi, from, message };
                    changes.extend(self.enter(route, line, was));
                }
            }
        }
        if waiting > 0 {
            self.hungry = waiting;
            self.try_others(now);
        }
        if self.stale || !changes.is_empty() {
            round.result = self.push();
            match round.result {
                Ok(()) => round
                    .standing
                    .extend(changes.into_iter().map(Change::stand)),
                Err(_) => self.undo(changes, &mut round),
            }
        }
        round.routes = self.len();
        round
    }

    /// A GSI for `line`: the one it has, a free one, or if it is busy another's; and what was there,
    /// out of the table and no line's any more.
    #[expect(clippy::type_complexity, reason = "as in Change")]
    fn place(
        &mut self,
        line: &Arc<VmLine<V>>,
        own: Option<u32>,
        busy: bool,
        now: Instant,
    ) -> Option<(u32, Option<(Routed<V>, Route)>)> {
        if let Some(gsi) = own {
            let route = line.unroute()?;
            let routed = self.routes.remove(&gsi)?;
            return Some((gsi, Some((routed, route))));
        }
        if self.len() < self.room
            && let Some(gsi) = self.gsis.take()
        {
            return Some((gsi, None));
        }
        if !busy {
            return None;
        }
        let (routes, mut lost) = (&self.routes, None);
        let gsi = self.clock.reclaim(now, |gsi| {
            lost = routes.get(&gsi).and_then(|routed| routed.line.lose());
            lost.is_some()
        })?;
        let routed = self.routes.remove(&gsi)?;
        Some((gsi, Some((routed, lost?))))
    }

    /// Enters a route. None if the message cannot be one: its line stays watched.
    fn enter(
        &mut self,
        route: Route,
        line: Arc<VmLine<V>>,
        was: Option<(Routed<V>, Route)>,
    ) -> Option<Change<V>> {
        match self.composer.route(route.gsi, route.from, route.message) {
            Ok(entry) => {
                let routed = Routed {
                    line: Arc::clone(&line),
                    entry,
                };
                self.routes.insert(route.gsi, routed);
                Some(Change { route, line, was })
            }
            Err(error) => {
                tracing::debug!(%error, "a message that cannot be a route; forwarded");
                match was {
                    Some((routed, before)) => {
                        routed.line.set_route(before);
                        self.routes.insert(before.gsi, routed);
                    }
                    None => {
                        self.gsis.give_back(route.gsi);
                    }
                }
                None
            }
        }
    }

    /// Goes on putting lines on trial for those that wait; when to go on again, if there
    /// are more.
    pub(crate) fn go_on(&mut self, now: Instant) -> Option<Instant> {
        match self.clock.has_begun() {
            true => self.try_others(now),
            false => None,
        }
    }

    /// Puts lines on trial for those that wait, as many as there is time for.
    fn try_others(&mut self, now: Instant) -> Option<Instant> {
        let (routes, counts) = (&self.routes, &self.counts);
        let start = Instant::now();
        let next = |from| {
            let gsi = routes.range(from..).next().map(|(gsi, _)| *gsi);
            gsi.filter(|_| start.elapsed() < DEMOTING)
        };
        let rests = self.clock.advance(now, self.hungry, next, |gsi| {
            let demoted = routes.get(&gsi).map(|routed| routed.line.demote());
            if demoted == Some(Demoted::FromIrqfd) {
                counts.demotions.fetch_add(1, Ordering::Relaxed);
            }
            matches!(demoted, Some(Demoted::FromIrqfd | Demoted::WasWatched))
        });
        let took = start.elapsed();
        rests.or_else(|| self.clock.spent(now.checked_add(took).unwrap_or(now), took))
    }

    /// KVM has the table from before.
    fn undo(&mut self, changes: Vec<Change<V>>, round: &mut Round<V>) {
        for change in changes {
            match change.was {
                Some((routed, before)) => {
                    routed.line.set_route(before);
                    round.standing.push(Arc::clone(&routed.line));
                    self.routes.insert(before.gsi, routed);
                }
                None => {
                    self.routes.remove(&change.route.gsi);
                    self.gsis.give_back(change.route.gsi);
                }
            }
            round.again.push(change.line);
        }
    }
}

impl<V: Vm> Change<V> {
    /// KVM has it.
    fn stand(self) -> Arc<VmLine<V>> {
        self.line.set_route(self.route);
        self.line
    }
}
