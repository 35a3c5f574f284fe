// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Interrupts of one domain that are allocated, walked over and freed together.

use alloc::vec::Vec;

use super::entry::Interrupt;
use super::index::IndexPool;

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
