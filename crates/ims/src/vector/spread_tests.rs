// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Spreading: the rules on any machine, and known results on known ones.

// Helpers of tests are tests, which the lints do not see.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use crate::vector::CpuId;
use proptest::prelude::*;

fn set(cpus: &[u32]) -> CpuSet {
    cpus.iter().copied().map(CpuId).collect()
}

/// Nodes of two to a core; the sibling of the first half's CPU is in the second.
fn smt(nodes: u32, cores: u32) -> Topology {
    let all = nodes * cores;
    let core = |core: u32| set(&[core, core + all]);
    let node = |node: u32| {
        (node * cores..(node + 1) * cores)
            .flat_map(|cpu| [CpuId(cpu), CpuId(cpu + all)])
            .collect()
    };
    Topology {
        nodes: (0..nodes).map(node).collect(),
        siblings: (0..all).map(core).collect(),
        ..Topology::flat(2 * all)
    }
}

fn machine() -> impl Strategy<Value = Topology> {
    let cpu = (0u32..6, 0u32..20, any::<bool>());
    proptest::collection::vec(cpu, 1..70).prop_map(|cpus| {
        let mut topology = Topology::flat(0);
        topology.nodes = vec![CpuSet::new(); 5];
        topology.siblings = vec![CpuSet::new(); 20];
        for (number, (node, core, present)) in (0..).zip(cpus) {
            let cpu = CpuId(number);
            topology.possible.insert(cpu);
            if present {
                topology.present.insert(cpu);
            }
            // Node 5 is nobody's: those CPUs are named by none.
            if let Some(node) = topology.nodes.get_mut(node as usize) {
                node.insert(cpu);
            }
            topology.siblings[core as usize].insert(cpu);
        }
        topology
    })
}

proptest! {
    #[test]
    fn every_possible_cpu_is_in_exactly_one_group_and_no_group_is_empty(
        topology in machine(), count in 1usize..90
    ) {
        let groups = group_cpus_evenly(count, &topology);
        let possible = topology.possible.len();
        prop_assert_eq!(groups.len(), count.min(possible));
        prop_assert!(groups.iter().all(|group| !group.is_empty()));
        prop_assert_eq!(groups.iter().map(CpuSet::len).sum::<usize>(), possible);
        let mut union = CpuSet::new();
        groups.iter().for_each(|group| union.extend_from(group));
        prop_assert_eq!(union, topology.possible);
    }

    #[test]
    fn on_one_node_groups_differ_by_at_most_one_cpu(cpus in 1u32..300, count in 1usize..320) {
        let groups = group_cpus_evenly(count, &Topology::flat(cpus));
        let sizes = || groups.iter().map(CpuSet::len);
        prop_assert!(sizes().max().unwrap() - sizes().min().unwrap() <= 1);
    }

    #[test]
    fn interrupts_in_the_middle_are_managed_and_the_others_take_the_default(
        topology in machine(), pre in 0u32..4, post in 0u32..4, count in 0u32..100
    ) {
        let spread = Spread { pre_vectors: pre, post_vectors: post, sets: vec![] };
        let default = set(&[1000]);
        match spread.affinities(count, &topology, &default) {
            None => prop_assert!(count <= pre + post),
            Some(vectors) => {
                prop_assert_eq!(vectors.len(), count as usize);
                for (at, vector) in (0..).zip(&vectors) {
                    let middle = at >= pre && at < count - post;
                    prop_assert_eq!(vector.managed, middle);
                    prop_assert_eq!(vector.affinity == default, !middle);
                }
            }
        }
    }

    #[test]
    fn the_count_is_within_bounds_and_no_more_than_the_cpus_need(
        cpus in 0u32..50, pre in 0u32..10, post in 0u32..10, min in 0u32..40, more in 0u32..40
    ) {
        let spread = Spread { pre_vectors: pre, post_vectors: post, sets: vec![] };
        let count = spread.vectors(min, min + more, &Topology::flat(cpus));
        let expected =
            if pre + post > min { 0 } else { (min + more).min(pre + post + cpus) };
        prop_assert_eq!(count, expected);
    }
}

#[test]
fn siblings_share_an_interrupt() {
    let groups = group_cpus_evenly(4, &smt(2, 2));
    assert_eq!(
        groups,
        [set(&[0, 4]), set(&[1, 5]), set(&[2, 6]), set(&[3, 7])]
    );
}

#[test]
fn fewer_interrupts_than_nodes_share_whole_nodes() {
    let groups = group_cpus_evenly(2, &smt(3, 1));
    assert_eq!(groups, [set(&[0, 2, 3, 5]), set(&[1, 4])]);
}

#[test]
fn a_node_gets_interrupts_by_its_cpus_and_the_small_ones_choose_first() {
    let mut topology = Topology::flat(9);
    topology.nodes = vec![CpuSet::from(0..8), CpuSet::from(8..9)];
    let groups = group_cpus_evenly(3, &topology);
    assert_eq!(groups, [set(&[8]), CpuSet::from(0..4), CpuSet::from(4..8)]);
    // The remainder goes one by one to the first groups.
    let groups = group_cpus_evenly(4, &topology);
    assert_eq!(
        groups,
        [set(&[8]), set(&[0, 1, 2]), set(&[3, 4, 5]), set(&[6, 7])]
    );
}

#[test]
fn cpus_that_may_be_added_are_dealt_where_the_present_ones_stopped() {
    let mut topology = Topology::flat(8);
    topology.present = CpuSet::from(0..3);
    // Three groups for the present CPUs; the others go on at the fourth, around.
    let groups = group_cpus_evenly(5, &topology);
    assert_eq!(
        groups,
        [
            set(&[0, 5]),
            set(&[1, 6]),
            set(&[2, 7]),
            set(&[3]),
            set(&[4])
        ]
    );
    // All groups are filled: the others begin at the first.
    let groups = group_cpus_evenly(2, &topology);
    assert_eq!(groups, [set(&[0, 1, 3, 4, 5]), set(&[2, 6, 7])]);
}

#[test]
fn more_interrupts_than_cpus_begin_anew() {
    let vectors = Spread::default()
        .affinities(5, &Topology::flat(2), &CpuSet::new())
        .unwrap();
    let cpus: Vec<_> = vectors
        .iter()
        .map(|vector| vector.affinity.first().unwrap().0)
        .collect();
    assert_eq!(cpus, [0, 1, 0, 1, 0]);
}

#[test]
fn each_set_is_spread_over_all_cpus() {
    let spread = Spread {
        pre_vectors: 1,
        post_vectors: 0,
        sets: vec![2, 4],
    };
    let default = set(&[0]);
    let vectors = spread.affinities(8, &Topology::flat(4), &default).unwrap();
    let expected: [&[u32]; 8] = [&[0], &[0, 1], &[2, 3], &[0], &[1], &[2], &[3], &[0]];
    assert!(
        vectors
            .iter()
            .map(|vector| &vector.affinity)
            .eq(expected.map(set).iter())
    );
    assert!(
        vectors
            .iter()
            .map(|vector| vector.managed)
            .eq((0..8).map(|at| at > 0))
    );
    assert_eq!(spread.vectors(3, 20, &Topology::flat(4)), 20);
    // Sets larger than what is left are cut.
    let spread = Spread {
        sets: vec![u32::MAX, 7],
        ..spread
    };
    assert_eq!(
        spread
            .affinities(4, &Topology::flat(4), &default)
            .unwrap()
            .len(),
        4
    );
}

#[test]
fn a_machine_without_cpus_leaves_the_default() {
    let vectors = Spread::default()
        .affinities(2, &Topology::default(), &set(&[7]))
        .unwrap();
    assert!(
        vectors
            .iter()
            .all(|vector| vector.affinity == set(&[7]) && vector.managed)
    );
}
