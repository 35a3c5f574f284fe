// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The CPUs of a machine, and which are near each other.

use super::{CpuId, CpuSet};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// The CPUs of a machine, and which are near each other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Topology {
    /// CPUs that are there.
    pub present: CpuSet,
    /// CPUs that are there or may be added; those present always count.
    pub possible: CpuSet,
    /// The CPUs of each NUMA node. A CPU counts for the first that names it; those
    /// that none names make a node of their own.
    pub nodes: Vec<CpuSet>,
    /// CPUs that share a core, a set for each core. A CPU that none names has no
    /// sibling.
    pub siblings: Vec<CpuSet>,
}

impl Topology {
    /// `cpus` CPUs, all present, on one node, one to a core.
    pub fn flat(cpus: u32) -> Self {
        let present = CpuSet::from(0..cpus);
        Self {
            possible: present.clone(),
            present,
            ..Self::default()
        }
    }

    /// CPUs that are possible and not present.
    pub(super) fn absent(&self) -> CpuSet {
        self.possible.difference(&self.present)
    }

    /// How many CPUs are possible.
    pub(super) fn possible_cpus(&self) -> usize {
        self.present.len() + self.absent().len()
    }

    /// The CPUs of `mask` by node, without empty ones: each CPU once.
    pub(super) fn split(&self, mask: &CpuSet) -> Vec<CpuSet> {
        let mut left = mask.clone();
        let mut split = Vec::new();
        for node in &self.nodes {
            let here = left.intersect(node);
            left = left.difference(&here);
            split.push(here);
        }
        split.push(left);
        split.retain(|node| !node.is_empty());
        split
    }

    /// Each CPU's core.
    pub(super) fn cores(&self) -> Cores<'_> {
        let mut cores = BTreeMap::new();
        for core in &self.siblings {
            for cpu in core.iter() {
                cores.entry(cpu).or_insert(core);
            }
        }
        Cores(cores)
    }
}

/// Each CPU's core; a CPU counts for the first core that names it.
pub(super) struct Cores<'a>(BTreeMap<CpuId, &'a CpuSet>);

impl Cores<'_> {
    /// Takes `count` CPUs out of `left`: the lowest with its siblings, then the next
    /// lowest with its own, and so on.
    pub(super) fn take(&self, left: &mut CpuSet, count: usize) -> CpuSet {
        let mut taken = CpuSet::new();
        let mut missing = count;
        while missing > 0 {
            let Some(cpu) = left.first() else { break };
            let mut core = CpuSet::single(cpu);
            if let Some(siblings) = self.0.get(&cpu) {
                core.extend(
                    siblings
                        .intersection(left)
                        .filter(|other| *other != cpu)
                        .take(missing - 1),
                );
            }
            missing -= core.len();
            *left = left.difference(&core);
            taken.extend_from(&core);
        }
        taken
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn set(cpus: &[u32]) -> CpuSet {
        cpus.iter().copied().map(CpuId).collect()
    }

    #[test]
    fn a_cpu_belongs_to_the_first_node_that_names_it_or_to_the_nameless_one() {
        let mut topology = Topology::flat(6);
        topology.nodes = vec![set(&[0, 1, 9]), set(&[]), set(&[1, 2])];
        assert_eq!(
            topology.split(&set(&[0, 1, 2, 4, 5])),
            [set(&[0, 1]), set(&[2]), set(&[4, 5])]
        );
    }

    #[test]
    fn a_cpu_is_taken_with_its_siblings_then_the_lowest_that_is_left() {
        let mut topology = Topology::flat(8);
        topology.siblings = vec![set(&[1, 5]), set(&[0, 4]), set(&[2, 5, 6])];
        let cores = topology.cores();
        let mut left = CpuSet::from(0..8);
        assert_eq!(cores.take(&mut left, 3), set(&[0, 4, 1]));
        assert_eq!(cores.take(&mut left, 0), set(&[]));
        assert_eq!(cores.take(&mut left, 2), set(&[2, 5]));
        assert_eq!(left, set(&[3, 6, 7]));
        assert_eq!(cores.take(&mut left, 9), set(&[3, 6, 7]));
        assert!(left.is_empty());
    }
}
