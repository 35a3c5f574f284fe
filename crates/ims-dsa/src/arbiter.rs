// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which of a group's queues is served next: by priority and by the work done
//! for each, starving none.
//!
//! ```text
//!   ready, by how much each has had:   3.0   3.5   7.1
//!                                       │ first
//!                                       ▼ pays cost / priority and lines up again
//! ```

use std::collections::BTreeMap;

/// The lowest priority, and the highest (WQCFG, 9.2.24).
pub const PRIORITIES: core::ops::RangeInclusive<u8> = 1..=15;

/// What one unit of cost is at priority 1: a multiple of every priority, so that
/// nothing is rounded.
const UNIT: u128 = 360_360;

/// Fair queueing in virtual time (stride scheduling).
///
/// Every queue has an account of what it has had, divided by its priority; the
/// ready queue that has had least is next. Among queues that stay ready, with
/// descriptors of one cost, each gets exactly its share in each stretch of turns
/// as long as the sum of the priorities.
///
/// A turn costs time in the logarithm of the number of ready queues. Queues that
/// are not ready cost nothing.
#[derive(Debug)]
pub(crate) struct Arbiter<Q> {
    /// The ready queues: by account, then by how long they wait.
    line: BTreeMap<(u128, u64), Q>,
    /// The account of who was served last: where those who come begin.
    now: u128,
    /// Numbers the entries of the line.
    entries: u64,
}

/// A queue's part in it.
#[derive(Debug)]
pub(crate) struct Share {
    priority: u8,
    account: u128,
    /// The entry in the line, while there is one.
    entry: Option<u64>,
}

impl Share {
    pub(crate) fn new(priority: u8) -> Self {
        Self {
            priority,
            account: 0,
            entry: None,
        }
    }

    fn price(&self, cost: u64) -> u128 {
        u128::from(cost) * UNIT / u128::from(self.priority.max(1))
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.entry.is_some()
    }

    /// Changes the priority; what it has had stays.
    pub(crate) fn set_priority(&mut self, priority: u8) {
        self.priority = priority;
    }
}

impl<Q: Copy> Arbiter<Q> {
    pub(crate) fn new() -> Self {
        Self {
            line: BTreeMap::new(),
            now: 0,
            entries: 0,
        }
    }

    /// The queue has something to do. Nothing changes if it is in line already.
    ///
    /// It begins where the others are: it cannot save up while idle and then shut
    /// them out. What it was charged in advance stays.
    pub(crate) fn enter(&mut self, queue: Q, share: &mut Share) {
        if share.entry.is_none() {
            share.account = share.account.max(self.now);
            self.entries += 1;
            share.entry = Some(self.entries);
            self.line.insert((share.account, self.entries), queue);
        }
    }

    /// The queue has nothing to do any more.
    pub(crate) fn leave(&mut self, share: &mut Share) -> Option<Q> {
        let entry = share.entry.take()?;
        self.line.remove(&(share.account, entry))
    }

    /// Who is next.
    pub(crate) fn first(&self) -> Option<Q> {
        self.line.first_key_value().map(|(_, queue)| *queue)
    }

    /// How many queues are ready.
    pub(crate) fn ready(&self) -> usize {
        self.line.len()
    }

    /// The queue is served, and pays.
    pub(crate) fn serve(&mut self, share: &mut Share, cost: u64) {
        self.now = self.now.max(share.account);
        self.charge(share, cost);
    }

    /// The queue pays, now or for what has been done for it.
    pub(crate) fn charge(&mut self, share: &mut Share, cost: u64) {
        self.set_account(share, share.account.saturating_add(share.price(cost)));
    }

    /// The queue gets back what it paid too much, as far as that is not a claim on
    /// the past.
    pub(crate) fn refund(&mut self, share: &mut Share, cost: u64) {
        let account = share.account.saturating_sub(share.price(cost));
        self.set_account(share, account.max(self.now).min(share.account));
    }

    fn set_account(&mut self, share: &mut Share, account: u128) {
        let queue = self.leave(share);
        share.account = account;
        if let Some(queue) = queue {
            self.entries += 1;
            share.entry = Some(self.entries);
            self.line.insert((account, self.entries), queue);
        }
    }
}

#[cfg(test)]
mod tests;
