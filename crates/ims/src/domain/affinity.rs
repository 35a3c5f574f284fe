// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which CPUs an interrupt may go to, kept small: most interrupts share a set.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::index::IndexPool;
use crate::vector::{self, CpuId, CpuSet};

/// Which CPUs of its space an interrupt may go to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Affinity {
    /// Any: the one with the most free vectors when it is activated.
    #[default]
    Any,
    /// One CPU. If it has no vector left, any other is taken rather than none.
    Cpu(CpuId),
    /// One of a set; as for one CPU if none of them has a vector left.
    Cpus(CpuSet),
    /// Managed: one of a set and no other. A vector is set aside on each of
    /// them at allocation; when the last of them goes offline the interrupt is
    /// shut down, and restarted when one returns.
    Managed(CpuSet),
}

/// A set in an [`AffinityTable`], or a single CPU that needs no table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AffinityId(u32);

impl Affinity {
    /// The CPUs it names, managed or not.
    pub(super) fn cpus(&self) -> vector::Affinity<'_> {
        match self {
            Self::Any => vector::Affinity::Any,
            Self::Cpu(cpu) => vector::Affinity::Cpu(*cpu),
            Self::Cpus(set) | Self::Managed(set) => vector::Affinity::Set(set),
        }
    }
}

const ANY: u32 = u32::MAX;
const SINGLE: u32 = 1 << 31;

/// The sets in use, each once.
#[derive(Debug)]
pub(super) struct AffinityTable {
    /// A set and how many use it, by id.
    sets: Vec<Option<(CpuSet, u32)>>,
    ids: IndexPool,
    by_set: BTreeMap<CpuSet, u32>,
}

impl Default for AffinityTable {
    fn default() -> Self {
        Self {
            sets: Vec::new(),
            ids: IndexPool::new(SINGLE - 1),
            by_set: BTreeMap::new(),
        }
    }
}

impl AffinityTable {
    /// One more user of `affinity`.
    pub(super) fn add(&mut self, affinity: &Affinity) -> AffinityId {
        match affinity {
            Affinity::Any => AffinityId(ANY),
            Affinity::Cpu(CpuId(cpu)) if cpu & SINGLE == 0 => AffinityId(cpu | SINGLE),
            Affinity::Cpu(cpu) => self.add_set(&CpuSet::single(*cpu)),
            Affinity::Cpus(set) | Affinity::Managed(set) => self.add_set(set),
        }
    }

    fn add_set(&mut self, set: &CpuSet) -> AffinityId {
        if let Some(&at) = self.by_set.get(set) {
            if let Some(Some((_, users))) = self.sets.get_mut(at as usize) {
                *users += 1;
            }
            return AffinityId(at);
        }
        // More sets than ids cannot be: each is used by an interrupt of its own.
        let Some(id) = self.ids.take() else {
            return AffinityId(ANY);
        };
        let entry = Some((set.clone(), 1));
        match self.sets.get_mut(id as usize) {
            Some(place) => *place = entry,
            None => self.sets.push(entry),
        }
        self.by_set.insert(set.clone(), id);
        AffinityId(id)
    }

    /// One user less.
    pub(super) fn remove(&mut self, AffinityId(id): AffinityId) {
        if id & SINGLE != 0 {
            return;
        }
        let Some(place) = self.sets.get_mut(id as usize) else {
            return;
        };
        if let Some((set, users)) = place {
            *users -= 1;
            if *users == 0 {
                self.by_set.remove(set);
                *place = None;
                self.ids.give_back(id);
            }
        }
    }

    /// How many sets are in use.
    #[cfg(all(test, not(loom)))]
    pub(super) fn used(&self) -> u32 {
        debug_assert_eq!(self.by_set.len(), self.sets.iter().flatten().count());
        self.ids.taken()
    }

    /// The CPUs that `id` stands for.
    pub(super) fn get(&self, AffinityId(id): AffinityId) -> vector::Affinity<'_> {
        if id == ANY {
            return vector::Affinity::Any;
        }
        if id & SINGLE != 0 {
            return vector::Affinity::Cpu(CpuId(id & !SINGLE));
        }
        match self.sets.get(id as usize) {
            Some(Some((set, _))) => vector::Affinity::Set(set),
            _ => vector::Affinity::Any,
        }
    }
}
