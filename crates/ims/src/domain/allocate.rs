// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Allocating and freeing interrupts, alone and in groups.

use alloc::vec::Vec;

use super::affinity::Affinity;
use super::entry::{ACTIVE, Entry, GROUPED, Interrupt, LIVE, MANAGED, PLACED, RESERVED, SHUT};
use super::error::{DomainError, stale};
use super::group::GroupId;
use super::hierarchy::{DomainId, DomainKey, Hierarchy};
use super::retire::{OldTarget, Retiree};
use super::space::SpaceId;
use crate::remap::{EntryMemory, Invalidate};
use crate::store::Cookie;
use crate::vector::{self, CpuId};

/// What is wanted of an interrupt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// A given index; `None` is the lowest that is free.
    pub index: Option<u32>,
    /// For the store, which reads it when it prepares the slot.
    pub cookie: Cookie,
    /// Whose vectors it takes.
    pub space: SpaceId,
    /// Which CPUs of the space it may go to.
    pub affinity: Affinity,
}

impl Request {
    /// Any index, any CPU of `space`, no cookie.
    pub fn new(space: SpaceId) -> Self {
        Self {
            index: None,
            cookie: Cookie::default(),
            space,
            affinity: Affinity::Any,
        }
    }

    /// The same with a given index.
    #[must_use]
    pub fn at(self, index: u32) -> Self {
        Self {
            index: Some(index),
            ..self
        }
    }

    /// The same with a cookie.
    #[must_use]
    pub fn cookie(self, cookie: impl Into<Cookie>) -> Self {
        Self {
            cookie: cookie.into(),
            ..self
        }
    }

    /// The same with an affinity.
    #[must_use]
    pub fn affinity(self, affinity: Affinity) -> Self {
        Self { affinity, ..self }
    }
}

/// What a free has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freed {
    /// It was kept pending, and that is dropped.
    pub dropped: bool,
}

impl<M: EntryMemory, I: Invalidate> Hierarchy<M, I> {
    /// Allocates an interrupt. Its slot is its own and masked; it has no message
    /// until it is activated.
    ///
    /// A managed interrupt has a vector set aside on each of its CPUs, one with a
    /// CPU or a set has its vector now, and any other a reservation.
    ///
    /// # Errors
    /// [`DomainError::IndexOutOfRange`], [`DomainError::IndexTaken`],
    /// [`DomainError::NoIndex`], [`DomainError::Vector`], [`DomainError::Store`].
    pub fn alloc(&mut self, domain: DomainId, request: &Request) -> Result<Interrupt, DomainError> {
        self.settle_if_due();
        let first = self.alloc_recorded(domain.0, request);
        let token = match first {
            Err(error) if error.is_exhaustion() && self.settle_for_more() => {
                self.alloc_recorded(domain.0, request)?
            }
            other => other?,
        };
        if let Err(error) = self.commit(domain.0) {
            self.undo_alloc(token);
            return Err(error);
        }
        Ok(token)
    }

    /// Allocates several interrupts, all or none, as a group.
    ///
    /// # Errors
    /// As for [`Hierarchy::alloc`]; [`DomainError::EmptyGroup`].
    pub fn alloc_group(
        &mut self,
        domain: DomainId,
        requests: &[Request],
    ) -> Result<GroupId, DomainError> {
        if requests.is_empty() {
            return Err(DomainError::EmptyGroup);
        }
        self.settle_if_due();
        let mut members = Vec::with_capacity(requests.len());
        let mut outcome = Ok(());
        for request in requests {
            let mut one = self.alloc_recorded(domain.0, request);
            if one.as_ref().is_err_and(DomainError::is_exhaustion) && self.settle_for_more() {
                one = self.alloc_recorded(domain.0, request);
            }
            match one {
                Ok(token) => members.push(token),
                Err(error) => {
                    outcome = Err(error);
                    break;
                }
            }
        }
        let outcome = match outcome {
            Ok(()) => self.commit(domain.0).map(|_| ()),
            Err(error) => {
                // What was recorded but is not wanted must not become effective
                // with the next commit.
                for &token in &members {
                    self.clear_unused(domain.0, token);
                }
                let _ = self.commit(domain.0);
                Err(error)
            }
        };
        if let Err(error) = outcome {
            for token in members.into_iter().rev() {
                self.undo_alloc(token);
            }
            return Err(error);
        }
        for token in &members {
            self.entry_mut(token.virq)?.set(GROUPED, true);
        }
        let groups = &mut self.domain_mut(domain.0)?.groups;
        groups
            .add(members)
            .ok_or(DomainError::NoIndex { limit: u32::MAX })
    }

    /// The members of a group.
    ///
    /// # Errors
    /// [`DomainError::Stale`].
    pub fn group(
        &self,
        domain: DomainId,
        group: GroupId,
    ) -> Result<impl Iterator<Item = Interrupt> + '_, DomainError> {
        let members = self
            .domains
            .get(domain.0)
            .and_then(|domain| domain.groups.get(group));
        Ok(members.ok_or(stale("group"))?.iter().copied())
    }

    /// Frees all members of a group, and the group. Says how many were kept
    /// pending, which is dropped.
    ///
    /// # Errors
    /// [`DomainError::Stale`]; [`DomainError::Store`] if a slot could not be
    /// cleared: the members left stay allocated, in the same group.
    pub fn free_group(&mut self, domain: DomainId, group: GroupId) -> Result<u32, DomainError> {
        let groups = &mut self.domain_mut(domain.0)?.groups;
        let members = groups.take_members(group).ok_or(stale("group"))?;
        let mut dropped = 0;
        for (at, &token) in members.iter().enumerate() {
            // Nobody need look for it in the group.
            self.entry_mut(token.virq)?.set(GROUPED, false);
            match self.free(token) {
                Ok(freed) => dropped += u32::from(freed.dropped),
                Err(error) => {
                    self.entry_mut(token.virq)?.set(GROUPED, true);
                    let left = members.get(at..).unwrap_or_default();
                    self.domain_mut(domain.0)?.groups.put_back(group, left);
                    return Err(error);
                }
            }
        }
        self.domain_mut(domain.0)?.groups.remove(group);
        Ok(dropped)
    }

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

    /// Everything but the commit.
    fn alloc_recorded(
        &mut self,
        key: DomainKey,
        request: &Request,
    ) -> Result<Interrupt, DomainError> {
        self.space(request.space)?;
        let domain = self.domain_mut(key).ok().filter(|domain| !domain.closing);
        let domain = domain.ok_or(stale("domain"))?;
        let limit = domain.indices.limit();
        let index = match request.index {
            Some(index) if index >= limit => {
                return Err(DomainError::IndexOutOfRange { index, limit });
            }
            Some(index) if domain.indices.take_at(index) => index,
            Some(index) => return Err(DomainError::IndexTaken { index }),
            None => domain
                .indices
                .take()
                .ok_or(DomainError::NoIndex { limit })?,
        };
        let Some(virq) = self.virqs.take() else {
            self.give_back_index(key, index);
            return Err(DomainError::NoIndex {
                limit: self.virqs.limit(),
            });
        };
        let generation = self
            .entries
            .get(virq as usize)
            .map_or(0, |entry| entry.generation);
        let mut entry = Entry {
            domain: key,
            index,
            generation,
            affinity: self.affinities.add(&request.affinity),
            cpu: 0,
            space: request.space,
            handle: 0,
            vector: 0,
            flags: LIVE,
            retiring: 0,
        };
        let token = Interrupt { virq, generation };
        let held = self.hold_vector(&mut entry, &request.affinity);
        let ready = held.and_then(|()| {
            let backing = &mut self.domain_mut(key)?.backing;
            Ok(backing.prepare(index, request.cookie)?)
        });
        self.put_entry(virq, entry);
        if let Err(error) = ready {
            self.undo_alloc(token);
            return Err(error);
        }
        let domain = self.domain_mut(key)?;
        domain.set_at(index, Some(virq));
        domain.backing.open(index);
        Ok(token)
    }

    /// Sets a vector aside, takes one, or reserves one, as the affinity says.
    fn hold_vector(&mut self, entry: &mut Entry, affinity: &Affinity) -> Result<(), DomainError> {
        let matrix = &mut self.space_mut(entry.space)?.matrix;
        let wanted = match affinity {
            Affinity::Any => {
                let _ = matrix.reserve();
                entry.set(RESERVED, true);
                return Ok(());
            }
            Affinity::Managed(set) => {
                matrix.reserve_managed(set)?;
                entry.set(MANAGED, true);
                return Ok(());
            }
            Affinity::Cpu(cpu) => vector::Affinity::Cpu(*cpu),
            Affinity::Cpus(set) => vector::Affinity::Set(set),
        };
        let placement = vector::activate(matrix, wanted, None, false)?;
        entry.cpu = placement.cpu.0;
        entry.vector = placement.vector;
        entry.set(PLACED, true);
        Ok(())
    }

    fn put_entry(&mut self, virq: u32, entry: Entry) {
        if let Some(place) = self.entries.get_mut(virq as usize) {
            *place = entry;
            return;
        }
        self.entries.push(entry);
    }

    /// Clears the slot of an interrupt whose group failed.
    fn clear_unused(&mut self, key: DomainKey, token: Interrupt) {
        if let (Ok(entry), Ok(domain)) = (self.entry(token), self.domains.get_mut(key).ok_or(())) {
            domain.backing.clear(entry.index);
        }
    }

    /// Takes back an allocation that nobody has seen: nothing to wait for.
    fn undo_alloc(&mut self, token: Interrupt) {
        let Ok(entry) = self.entry(token) else { return };
        if let Ok(domain) = self.domain_mut(entry.domain) {
            domain.backing.close(entry.index);
            domain.backing.clear(entry.index);
        }
        let _ = self.commit(entry.domain);
        if entry.is(PLACED)
            && let Ok(space) = self.space_mut(entry.space)
        {
            // It was this allocation's own a moment ago.
            let _ = space.matrix.free(CpuId(entry.cpu), entry.vector, false);
        }
        self.unhold(&entry);
        self.drop_entry(token.virq);
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
    fn unhold(&mut self, entry: &Entry) {
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
                super::affinity::Resolved::Set(set) => space.matrix.remove_managed(set).is_ok(),
                _ => true,
            };
            if removed {
                self.affinities.remove(affinity);
            }
            !removed
        });
        self.set_aside = left;
    }

    fn give_back_index(&mut self, key: DomainKey, index: u32) {
        if let Some(domain) = self.domains.get_mut(key) {
            domain.indices.give_back(index);
        }
        self.remove_if_empty(key);
    }
}
