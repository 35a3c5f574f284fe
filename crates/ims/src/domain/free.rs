// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Freeing interrupts, and forgetting those that have nothing left.

use super::DomainKey;
use super::entry::{ACTIVE, Entry, GROUPED, Interrupt, MANAGED, PLACED, RESERVED, SHUT};
use super::error::DomainError;
use super::hierarchy::Hierarchy;
use super::retire::{OldTarget, Retiree};
use crate::remap::{EntryMemory, Invalidate};
use crate::vector::{self, CpuId};

/// What a free has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freed {
    /// It was kept pending, and that is dropped.
    pub dropped: bool,
}

impl<M: EntryMemory, I: Invalidate> Hierarchy<M, I> {
    /// Frees an interrupt, at any time in its life. What was on its way reaches
    /// its old handler, or is dropped; index, vector and entry are given to others
    /// only when that is over ([`Hierarchy::settle`]).
    ///
    /// # Errors
    /// [`DomainError::Stale`]; [`DomainError::Store`] if the slot could not be
    /// cleared: the interrupt stays allocated, as it was.
    pub fn free(&mut self, token: Interrupt) -> Result<Freed, DomainError> {
        let entry = self.entry(token)?;
        let domain = self.domain_mut(entry.domain)?;
        domain.backing.clear(entry.index);
        let dropped = self.commit(entry.domain)? != 0;
        let domain = self.domain_mut(entry.domain)?;
        domain.backing.close(entry.index);
        if entry.is(GROUPED) {
            domain.groups.forget(token);
        }
        self.unplace(token.virq, &entry);
        self.settle_if_due();
        Ok(Freed { dropped })
    }

    /// Starts giving back everything a freed interrupt had.
    fn unplace(&mut self, virq: u32, entry: &Entry) {
        let placed = entry.is(PLACED).then_some(OldTarget {
            space: entry.space,
            cpu: CpuId(entry.cpu),
            vector: entry.vector,
            managed: entry.is(MANAGED),
        });
        let handle = entry.is(ACTIVE).then_some(entry.handle);
        self.shut.retain(|&shut| !entry.is(SHUT) || shut != virq);
        self.unhold(entry);
        if let Ok(entry) = self.entry_mut(virq) {
            entry.flags &= MANAGED;
            entry.generation = entry.generation.wrapping_add(1);
            entry.retiring = entry.retiring.saturating_add(1);
        }
        self.retire(Retiree {
            virq,
            target: placed,
            handle,
            freed: true,
        });
    }

    /// Gives back what an interrupt holds beside its vector. A managed one's
    /// vectors stay set aside until its own is free ([`Hierarchy::settle`]).
    pub(super) fn unhold(&mut self, entry: &Entry) {
        if entry.is(RESERVED)
            && let Ok(space) = self.space_mut(entry.space)
        {
            let _ = space.matrix.remove_reserved();
        }
    }

    /// Forgets an interrupt that has nothing left.
    pub(super) fn drop_entry(&mut self, virq: u32) {
        let Some(&entry) = self.entries.get(virq as usize) else {
            return;
        };
        if entry.is(MANAGED) {
            self.set_aside.push((entry.space, entry.affinity));
            self.remove_set_aside();
        } else {
            self.affinities.remove(entry.affinity);
        }
        if let Some(domain) = self.domains.get_mut(entry.domain) {
            domain.past += domain.backing.take_counts(entry.index);
            domain.backing.release(entry.index);
            domain.set_at(entry.index, None);
        }
        self.give_back_index(entry.domain, entry.index);
        if let Some(entry) = self.entries.get_mut(virq as usize) {
            entry.flags = 0;
        }
        self.virqs.give_back(virq);
    }

    /// Gives back the vectors that were set aside for managed interrupts that are
    /// gone. Where another one uses them, because its own old vector there is not
    /// quiet yet, this waits for the settling of that.
    pub(super) fn remove_set_aside(&mut self) {
        let mut left = core::mem::take(&mut self.set_aside);
        left.retain(|&(space, affinity)| {
            let Some(space) = self.spaces.get_mut(usize::from(space.0)) else {
                return false;
            };
            let removed = match self.affinities.get(affinity) {
                vector::Affinity::Set(set) => space.matrix.remove_managed(set).is_ok(),
                _ => true,
            };
            if removed {
                self.affinities.remove(affinity);
            }
            !removed
        });
        self.set_aside = left;
    }

    pub(super) fn give_back_index(&mut self, key: DomainKey, index: u32) {
        if let Some(domain) = self.domains.get_mut(key) {
            domain.indices.give_back(index);
        }
        self.remove_if_empty(key);
    }
}
