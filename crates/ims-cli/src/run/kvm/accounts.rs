// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the guest counted, held against what it was sent: KVM tells nobody what it
//! coalesced, so only this proves that nothing was lost between the two.

use crate::run::report::GuestCounts;

/// One vector of one vCPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::run) struct Account {
    pub(in crate::run) cpu: u32,
    pub(in crate::run) vector: u8,
    /// Pending bits that were set anew and whose message KVM took.
    pub(in crate::run) sent: u64,
    /// Pending bits that the guest's handlers found.
    pub(in crate::run) counted: u64,
    /// How often the guest's handler ran.
    pub(in crate::run) runs: u64,
    /// How often it found nothing: a run before it had taken the bit already.
    pub(in crate::run) empty: u64,
    /// The bit is still set.
    pub(in crate::run) pending: bool,
}

impl Account {
    /// What is wrong with it now that nothing is on its way.
    fn wrong(&self) -> Option<String> {
        let Self {
            cpu,
            vector,
            sent,
            counted,
            runs,
            empty,
            pending,
        } = *self;
        let found = runs.saturating_sub(empty);
        let what = if pending {
            format!("{sent} sent, and one is still pending")
        } else if sent != counted {
            format!("{sent} sent, but the guest counted {counted}")
        } else if found != counted {
            format!("the guest counted {counted}, but {found} runs of its handler found one")
        } else {
            return None;
        };
        Some(format!("vCPU {cpu}, vector {vector:#04x}: {what}"))
    }
}

/// The sums of a guest's accounts, and what is wrong with each.
pub(in crate::run) fn held(accounts: impl Iterator<Item = Account>) -> (GuestCounts, Vec<String>) {
    let mut counts = GuestCounts::default();
    let mut wrong = Vec::new();
    for account in accounts {
        counts.sent += account.sent;
        counts.counted += account.counted;
        counts.runs += account.runs;
        counts.empty += account.empty;
        wrong.extend(account.wrong());
    }
    (counts, wrong)
}
