// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Interrupts of one domain that are allocated, walked over and freed together.

use alloc::vec::Vec;

use super::allocate::Request;
use super::device::DomainId;
use super::entry::{GROUPED, Interrupt};
use super::error::{DomainError, stale};
use super::hierarchy::{DomainKey, Hierarchy};
use super::index::IndexPool;
use crate::remap::{EntryMemory, Invalidate};

/// Names a group of a domain. The first group of a domain has number 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct GroupId {
    pub(super) number: u32,
    pub(super) generation: u32,
}

impl GroupId {
    /// Its number within the domain.
    pub fn number(self) -> u32 {
        self.number
    }
}

/// The groups of one domain.
#[derive(Debug)]
pub(super) struct Groups {
    numbers: IndexPool,
    groups: Vec<(u32, Vec<Interrupt>)>,
}

impl Default for Groups {
    fn default() -> Self {
        Self {
            numbers: IndexPool::new(u32::MAX),
            groups: Vec::new(),
        }
    }
}

impl Groups {
    /// A new group; `None` if there are 2^32 - 1 already.
    pub(super) fn add(&mut self, members: Vec<Interrupt>) -> Option<GroupId> {
        let number = self.numbers.take()?;
        let generation = match self.groups.get_mut(number as usize) {
            Some((generation, place)) => {
                *place = members;
                *generation
            }
            None => {
                self.groups.push((0, members));
                0
            }
        };
        Some(GroupId { number, generation })
    }

    /// The members of a group.
    pub(super) fn get(&self, id: GroupId) -> Option<&[Interrupt]> {
        self.groups
            .get(id.number as usize)
            .filter(|(generation, _)| *generation == id.generation)
            .filter(|_| self.numbers.is_taken(id.number))
            .map(|(_, members)| members.as_slice())
    }

    /// Takes a group's members out; the group stays, empty.
    pub(super) fn take_members(&mut self, id: GroupId) -> Option<Vec<Interrupt>> {
        self.get(id)?;
        self.groups
            .get_mut(id.number as usize)
            .map(|(_, members)| core::mem::take(members))
    }

    /// Puts members back into a group that stayed.
    pub(super) fn put_back(&mut self, id: GroupId, left: &[Interrupt]) {
        if let Some((_, members)) = self.groups.get_mut(id.number as usize) {
            members.extend_from_slice(left);
        }
    }

    /// Forgets a group; its id is stale from then on.
    pub(super) fn remove(&mut self, id: GroupId) {
        if self.get(id).is_none() {
            return;
        }
        self.numbers.give_back(id.number);
        if let Some((generation, members)) = self.groups.get_mut(id.number as usize) {
            *generation = generation.wrapping_add(1);
            members.clear();
        }
    }

    /// Takes one interrupt out of whatever group it is in.
    pub(super) fn forget(&mut self, interrupt: Interrupt) {
        for (_, members) in &mut self.groups {
            members.retain(|member| *member != interrupt);
        }
    }
}

impl<M: EntryMemory, I: Invalidate> Hierarchy<M, I> {
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

    /// Clears the slot of an interrupt whose group failed.
    fn clear_unused(&mut self, key: DomainKey, token: Interrupt) {
        if let (Ok(entry), Ok(domain)) = (self.entry(token), self.domains.get_mut(key).ok_or(())) {
            domain.backing.clear(entry.index);
        }
    }
}
