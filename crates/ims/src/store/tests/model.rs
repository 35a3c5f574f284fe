// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What every store must do, said without any store.

use std::collections::BTreeMap;
use std::vec::Vec;

use crate::domain::{Counts, Raised};
use crate::message::Message;
use crate::sink::{Acceptance, Refusal};

/// What an owned slot holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owned {
    pub(super) pasid: u32,
    pub(super) message: Message,
    pub(super) masked: bool,
}

/// One slot: what is effective, what is recorded for the next sync.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    pub(super) held: Option<Owned>,
    pub(super) recorded: Option<Owned>,
    /// Recorded contents are a new owner's.
    fresh: bool,
    /// A kept raise, in each copy.
    pub(super) pending: Vec<bool>,
    pub(super) counts: Counts,
}

#[derive(Debug)]
pub(super) struct Model {
    pub(super) slots: Vec<Slot>,
    /// Changes wait for a sync.
    staged: bool,
    pub(super) busy: bool,
    /// What the sink took, by message data, since it was last asked.
    pub(super) taken: Vec<Message>,
    /// How much it took for each interrupt since its allocation.
    pub(super) delivered: BTreeMap<u32, u64>,
    pub(super) strays: u64,
}

impl Model {
    pub(super) fn new(slots: u32, copies: u32, staged: bool) -> Self {
        let slot = Slot {
            held: None,
            recorded: None,
            fresh: false,
            pending: vec![false; copies as usize],
            counts: Counts::default(),
        };
        Self {
            slots: vec![slot; slots as usize],
            staged,
            busy: false,
            taken: Vec::new(),
            delivered: BTreeMap::new(),
            strays: 0,
        }
    }

    /// Records what slot `index` is to hold.
    pub(super) fn record(&mut self, index: u32, contents: Option<Owned>, fresh: bool) {
        let slot = &mut self.slots[index as usize];
        slot.recorded = contents;
        slot.fresh |= fresh;
        if !self.staged {
            self.apply(index, true);
        }
    }

    /// All that is recorded becomes effective; `touched` slots also if unchanged.
    pub(super) fn sync(&mut self, touched: impl Fn(u32) -> bool) {
        for index in 0..u32::try_from(self.slots.len()).unwrap() {
            self.apply(index, touched(index));
        }
    }

    pub(super) fn revert(&mut self) {
        for slot in &mut self.slots {
            slot.recorded = slot.held;
            slot.fresh = false;
        }
    }

    fn apply(&mut self, index: u32, touched: bool) {
        if !touched {
            return;
        }
        let slot = &mut self.slots[index as usize];
        let kept = slot.pending.iter().filter(|&&pending| pending).count() as u64;
        let new_owner = slot.fresh;
        slot.held = slot.recorded;
        slot.fresh = false;
        if kept == 0 {
            return;
        }
        match slot.held {
            Some(owned) if !new_owner && owned.masked => {}
            Some(owned) if !new_owner => {
                slot.pending.fill(false);
                slot.counts.coalesced += kept - 1;
                let _ = self.send(index, 0, owned.message);
            }
            _ => {
                slot.pending.fill(false);
                slot.counts.dropped += 1;
                slot.counts.coalesced += kept - 1;
            }
        }
    }

    pub(super) fn raise(&mut self, index: u32, copy: usize, submitter: Option<u32>) -> Raised {
        let Some(owned) = self.slots.get(index as usize).and_then(|slot| slot.held) else {
            self.strays += 1;
            return Raised::Refused(Refusal::NotAllocated);
        };
        self.slots[index as usize].counts.raised += 1;
        if submitter != Some(owned.pasid) {
            self.slots[index as usize].counts.refused += 1;
            return Raised::Refused(Refusal::Pasid);
        }
        if owned.masked {
            self.keep(index, copy)
        } else {
            self.send(index, copy, owned.message)
        }
    }

    pub(super) fn set_busy(&mut self, busy: bool) {
        self.busy = busy;
        for index in 0..u32::try_from(self.slots.len()).unwrap() {
            let slot = &self.slots[index as usize];
            let Some(owned) = slot.held.filter(|owned| !busy && !owned.masked) else {
                continue;
            };
            for copy in 0..slot.pending.len() {
                let pending = &mut self.slots[index as usize].pending[copy];
                if core::mem::take(pending) {
                    let _ = self.send(index, copy, owned.message);
                }
            }
        }
    }

    fn send(&mut self, index: u32, copy: usize, message: Message) -> Raised {
        if self.busy {
            return self.keep(index, copy);
        }
        self.taken.push(message);
        *self.delivered.entry(index).or_default() += 1;
        Raised::Sent(Acceptance::Fresh)
    }

    fn keep(&mut self, index: u32, copy: usize) -> Raised {
        let slot = &mut self.slots[index as usize];
        if core::mem::replace(&mut slot.pending[copy], true) {
            slot.counts.coalesced += 1;
            Raised::Met
        } else {
            slot.counts.held += 1;
            Raised::Held
        }
    }
}
