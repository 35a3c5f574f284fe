// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What happened so far, and how things stand.

use std::time::Duration;

use crate::signal::Signalled;
use crate::sync::{AtomicU64, Ordering};

/// What happened so far, and how things stand. Each number is true at some moment
/// of the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Report {
    /// Verdicts on messages.
    pub signalled: Signalled,
    /// Eventfds there are.
    pub eventfds: u64,
    /// Of these, irqfds now.
    pub promoted: u64,
    /// Events forwarded.
    pub forwarded: u64,
    /// Eventfds made irqfds, ever.
    pub promotions: u64,
    /// Of these, ones that a commit was not needed for: their route stood.
    pub returned: u64,
    /// Eventfds that KVM would not make irqfds.
    pub failed_promotions: u64,
    /// Irqfds made eventfds again because others were busy.
    pub demotions: u64,
    /// `KVM_SET_GSI_ROUTING` calls.
    pub commits: u64,
    /// Calls that failed.
    pub failed_commits: u64,
    /// What they took in all.
    pub committing: Duration,
    /// Routes in KVM's table, pins included.
    pub routes: u64,
}

/// The counters behind it.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) eventfds: AtomicU64,
    pub(crate) promoted: AtomicU64,
    pub(crate) forwarded: AtomicU64,
    pub(crate) promotions: AtomicU64,
    pub(crate) returned: AtomicU64,
    pub(crate) failed_promotions: AtomicU64,
    pub(crate) demotions: AtomicU64,
    pub(crate) commits: AtomicU64,
    pub(crate) failed_commits: AtomicU64,
    /// Nanoseconds.
    pub(crate) committing: AtomicU64,
    pub(crate) routes: AtomicU64,
}

impl Counts {
    pub(crate) fn report(&self, signalled: Signalled) -> Report {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Report {
            signalled,
            eventfds: of(&self.eventfds),
            promoted: of(&self.promoted),
            forwarded: of(&self.forwarded),
            promotions: of(&self.promotions),
            returned: of(&self.returned),
            failed_promotions: of(&self.failed_promotions),
            demotions: of(&self.demotions),
            commits: of(&self.commits),
            failed_commits: of(&self.failed_commits),
            committing: Duration::from_nanos(of(&self.committing)),
            routes: of(&self.routes),
        }
    }
}
