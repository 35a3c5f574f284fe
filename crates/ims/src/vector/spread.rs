// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Spreads a device's interrupts over the CPUs: each CPU has one of its own, or
//! shares it with its neighbours.
//!
//! The semantics are those of Linux's `irq_create_affinity_masks`
//! (`kernel/irq/affinity.c`) and `group_cpus_evenly` (`lib/group_cpus.c`): CPUs
//! that are present are dealt first, then those that may be added; nodes get
//! interrupts by how many CPUs they have, and the CPUs of a core stay together.

use super::{CpuSet, Topology};
use alloc::vec::Vec;
use core::num::NonZeroUsize;

/// How a device wants its interrupts spread.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Spread {
    /// Interrupts at the beginning that are not spread (administration, say).
    pub pre_vectors: u32,
    /// Interrupts at the end that are not spread.
    pub post_vectors: u32,
    /// The sizes of sets that are each spread over all CPUs (read queues and
    /// write queues, say); none means one set of all.
    pub sets: Vec<u32>,
}

/// One interrupt's affinity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpreadVector {
    /// The CPUs it may go to.
    pub affinity: CpuSet,
    /// It is managed: it never leaves them, and nobody else moves it.
    pub managed: bool,
}

impl Spread {
    fn unspread(&self) -> u64 {
        u64::from(self.pre_vectors) + u64::from(self.post_vectors)
    }

    /// How many interrupts to allocate, between `min` and `max`: a spread one for
    /// each possible CPU and the others; with sets, as many as there may be. 0 if
    /// the unspread ones alone are more than `min`.
    pub fn vectors(&self, min: u32, max: u32, topology: &Topology) -> u32 {
        let Ok(unspread) = u32::try_from(self.unspread()) else {
            return 0;
        };
        if unspread > min {
            return 0;
        }
        let spread = max.saturating_sub(unspread);
        let wanted = if self.sets.is_empty() {
            u32::try_from(topology.possible_cpus()).unwrap_or(u32::MAX)
        } else {
            spread
        };
        unspread.saturating_add(wanted.min(spread))
    }

    /// The affinities of `count` interrupts, or `None` if none of them is spread.
    ///
    /// Unspread ones get `default`. A set that has more interrupts than there are
    /// CPUs begins anew with the first CPUs. Interrupts that no set claims get
    /// `default` too, but are managed. Memory is for `count` sets.
    pub fn affinities(
        &self,
        count: u32,
        topology: &Topology,
        default: &CpuSet,
    ) -> Option<Vec<SpreadVector>> {
        let spread = u64::from(count)
            .checked_sub(self.unspread())
            .filter(|spread| *spread > 0)?;
        let spread = usize::try_from(spread).ok()?;
        let plain = |managed| SpreadVector {
            affinity: default.clone(),
            managed,
        };

        let mut affinities = Vec::new();
        affinities.resize(self.pre_vectors as usize, plain(false));
        let end = affinities.len().saturating_add(spread);
        let whole = [u32::try_from(spread).unwrap_or(u32::MAX)];
        let sets = if self.sets.is_empty() {
            &whole[..]
        } else {
            &self.sets
        };
        for &size in sets {
            let size = (size as usize).min(end - affinities.len());
            let groups = group_cpus_evenly(size, topology);
            let managed = groups.iter().cycle().take(size);
            affinities.extend(managed.map(|group| SpreadVector {
                affinity: group.clone(),
                managed: true,
            }));
        }
        affinities.resize(end, plain(true));
        affinities.resize(count as usize, plain(false));
        Some(affinities)
    }
}

/// Deals all possible CPUs to at most `count` groups, none of them empty and no
/// CPU in two; fewer groups if there are fewer CPUs.
pub fn group_cpus_evenly(count: usize, topology: &Topology) -> Vec<CpuSet> {
    let count = count.min(topology.possible_cpus());
    let Some(limit) = NonZeroUsize::new(count) else {
        return Vec::new();
    };
    let mut groups = Groups {
        groups: alloc::vec![CpuSet::new(); count],
        next: 0,
    };
    let present = groups.deal(&topology.present, limit, topology);
    if present >= count {
        groups.next = 0;
    }
    groups.deal(&topology.absent(), limit, topology);
    groups.groups
}

struct Groups {
    groups: Vec<CpuSet>,
    /// The group that gets the next CPUs.
    next: usize,
}

impl Groups {
    /// Deals the CPUs of `mask`, from the next group on; says to how many groups.
    fn deal(&mut self, mask: &CpuSet, count: NonZeroUsize, topology: &Topology) -> usize {
        let nodes = topology.split(mask);
        if count.get() <= nodes.len() {
            for node in &nodes {
                self.give(node);
            }
            return count.get();
        }
        let cores = topology.cores();
        let mut dealt = 0;
        for (node, share) in shares(nodes, count.get()) {
            let (each, extra) = (node.len() / share, node.len() % share);
            let mut left = node;
            for group in 0..share.get() {
                let cpus = cores.take(&mut left, each + usize::from(group < extra));
                self.give(&cpus);
            }
            dealt += share.get();
        }
        dealt
    }

    fn give(&mut self, cpus: &CpuSet) {
        if let Some(group) = self.groups.get_mut(self.next) {
            group.extend_from(cpus);
        }
        self.next = (self.next + 1) % self.groups.len().max(1);
    }
}

/// How many of `groups` each node gets: by its CPUs, at least one and no more than
/// it has CPUs. Small nodes choose first, so that rounding does not leave them
/// without.
fn shares(mut nodes: Vec<CpuSet>, groups: usize) -> impl Iterator<Item = (CpuSet, NonZeroUsize)> {
    nodes.sort_by_key(CpuSet::len);
    let mut cpus_left: usize = nodes.iter().map(CpuSet::len).sum();
    let mut groups_left = groups.min(cpus_left);
    nodes.into_iter().map(move |node| {
        let cpus = node.len();
        let share = groups_left
            .saturating_mul(cpus)
            .checked_div(cpus_left)
            .unwrap_or(0);
        let share = NonZeroUsize::new(share).unwrap_or(NonZeroUsize::MIN);
        groups_left = groups_left.saturating_sub(share.get());
        cpus_left -= cpus;
        (node, share)
    })
}

#[cfg(all(test, not(loom)))]
#[path = "spread_tests.rs"]
mod tests;
