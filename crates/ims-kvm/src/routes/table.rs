// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The table as it is to be, and the call that makes it KVM's.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ims::domain::IndexPool;
use kvm_bindings::kvm_irq_routing_entry;

use super::clock::Clock;
use super::inbox::Haste;
use super::pace::Pace;
use super::pins::Pinned;
use crate::error::{CommitError, NewError};
use crate::interrupts::Counts;
use crate::kvm_message::Composer;
use crate::lines::VmLine;
use crate::sync::Ordering;
use crate::vm::Vm;

/// Who has which GSI. Behind a lock: who has it commits, and nobody else changes a
/// line's route.
pub(crate) struct Table<V: Vm> {
    pub(super) vm: Arc<V>,
    pub(super) composer: Composer,
    pub(super) counts: Arc<Counts>,
    pub(super) pins: Pinned,
    pub(super) gsis: IndexPool,
    pub(super) routes: BTreeMap<u32, Routed<V>>,
    /// Routes that KVM has room for, pins included.
    pub(super) room: usize,
    /// KVM's table has routes that are nobody's any more.
    pub(super) stale: bool,
    pub(super) clock: Clock,
    /// Busy lines that the last round had no GSI for.
    pub(super) hungry: usize,
    /// When the forwarder is to commit.
    pub(crate) pace: Pace,
    /// What the last call took, until somebody asks.
    pub(super) took: Option<Duration>,
}

/// The route of a line.
pub(super) struct Routed<V: Vm> {
    pub(super) line: Arc<VmLine<V>>,
    pub(super) entry: kvm_irq_routing_entry,
}

impl<V: Vm> Table<V> {
    pub(crate) fn new(
        vm: Arc<V>,
        composer: Composer,
        counts: Arc<Counts>,
        pins: Pinned,
        gsis: Option<u32>,
    ) -> Result<Self, NewError> {
        let room = vm.max_routes();
        let limit = gsis.map_or(room, |gsis| gsis.min(room));
        let mut pool = IndexPool::new(limit);
        for gsi in pins.gsis() {
            if !pool.take_at(gsi) {
                return Err(NewError::Pin { gsi, limit });
            }
        }
        let standing = u64::try_from(pins.routes.len()).unwrap_or(u64::MAX);
        counts.routes.store(standing, Ordering::Relaxed);
        Ok(Self {
            vm,
            composer,
            counts,
            pins,
            gsis: pool,
            routes: BTreeMap::new(),
            room: usize::try_from(room).unwrap_or(usize::MAX),
            stale: false,
            clock: Clock::new(),
            hungry: 0,
            pace: Pace::default(),
            took: None,
        })
    }

    /// Routes in the table, pins included.
    pub(super) fn len(&self) -> usize {
        self.pins.routes.len().saturating_add(self.routes.len())
    }

    /// Whether a commit is wanted, and how soon, if `waiting` waits.
    pub(crate) fn haste(&self, waiting: Option<Haste>) -> Option<Haste> {
        // A call that failed left routes in it that are nobody's.
        waiting.or(self.stale.then_some(Haste::Gather))
    }

    /// What the last call took, once.
    pub(crate) fn took(&mut self) -> Option<Duration> {
        self.took.take()
    }

    /// Takes closed lines' routes out; KVM's table follows with the next call.
    pub(super) fn retire(&mut self, closed: Vec<Arc<VmLine<V>>>) {
        for line in closed {
            if let Some(route) = line.retire() {
                self.routes.remove(&route.gsi);
                self.gsis.give_back(route.gsi);
                self.stale = true;
            }
        }
    }

    /// Makes the table KVM's.
    pub(super) fn push(&mut self) -> Result<(), CommitError> {
        let mut entries = Vec::with_capacity(self.len());
        entries.extend_from_slice(&self.pins.routes);
        entries.extend(self.routes.values().map(|routed| routed.entry));
        let start = Instant::now();
        let pushed = self.vm.set_routes(&entries);
        let took = start.elapsed();
        self.took = Some(took);
        self.counts.commits.fetch_add(1, Ordering::Relaxed);
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.counts
            .committing
            .fetch_add(nanoseconds, Ordering::Relaxed);
        match pushed {
            Ok(()) => {
                self.stale = false;
                let routes = u64::try_from(entries.len()).unwrap_or(u64::MAX);
                self.counts.routes.store(routes, Ordering::Relaxed);
                Ok(())
            }
            Err(errno) => {
                self.counts.failed_commits.fetch_add(1, Ordering::Relaxed);
                let routes = entries.len();
                tracing::warn!(routes, %errno, "KVM refused routes; eventfds are forwarded");
                Err(CommitError::Refused { routes, errno })
            }
        }
    }
}
