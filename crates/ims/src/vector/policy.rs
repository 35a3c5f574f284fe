// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where to look for a vector when an interrupt is activated, in which order.
//!
//! Linux's `assign_irq_vector_any_locked` and `activate_managed`
//! (`arch/x86/kernel/apic/vector.c`).

use super::{Affinity, CpuId, CpuSet, Matrix, MatrixError};

/// Where an interrupt was placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a vector that nobody keeps is never freed"]
pub struct Placement {
    /// The CPU.
    pub cpu: CpuId,
    /// Its vector.
    pub vector: u8,
    /// The CPU is not one the affinity names.
    pub affinity_broken: bool,
}

/// Where to look for a vector.
#[derive(Debug, Clone, Copy)]
enum Search {
    AffinityOnNode,
    Node,
    Affinity,
    Online,
}

/// The order of the searches. Those with a node are left out if there is none.
const ORDER: [Search; 4] = [
    Search::AffinityOnNode,
    Search::Node,
    Search::Affinity,
    Search::Online,
];

impl Search {
    fn alloc(
        self,
        matrix: &mut Matrix,
        affinity: Affinity<'_>,
        node: Option<&CpuSet>,
        reserved: bool,
    ) -> Result<(CpuId, u8), MatrixError> {
        match (self, node) {
            (Self::Online, _) => matrix.alloc(Affinity::Any, reserved),
            (Self::Affinity, _) => matrix.alloc(affinity, reserved),
            (_, None) => Err(MatrixError::InvalidMask),
            (Self::Node, Some(node)) => matrix.alloc(Affinity::Set(node), reserved),
            (Self::AffinityOnNode, Some(node)) => match affinity {
                Affinity::Any => matrix.alloc(Affinity::Set(node), reserved),
                Affinity::Cpu(cpu) if node.contains(cpu) => matrix.alloc(affinity, reserved),
                Affinity::Cpu(_) => Err(MatrixError::InvalidMask),
                Affinity::Set(set) => matrix.alloc(Affinity::Set(&set.intersect(node)), reserved),
            },
        }
    }
}

/// Finds a vector for an unmanaged interrupt.
///
/// Looks on the affinity's CPUs of the device's `node`, then on the node, then
/// on the affinity, then everywhere; only online CPUs count. Broken affinity is
/// not an error, and is said in the placement.
///
/// # Errors
/// [`MatrixError::NoVector`] if no online CPU has one left;
/// [`MatrixError::NothingReserved`].
#[inline]
pub fn activate(
    matrix: &mut Matrix,
    affinity: Affinity<'_>,
    node: Option<&CpuSet>,
    reserved: bool,
) -> Result<Placement, MatrixError> {
    if node.is_none() && affinity == Affinity::Any {
        let (cpu, vector) = matrix.alloc(Affinity::Any, reserved)?;
        return Ok(Placement {
            cpu,
            vector,
            affinity_broken: false,
        });
    }
    for search in ORDER {
        match search.alloc(matrix, affinity, node, reserved) {
            Ok((cpu, vector)) => {
                return Ok(Placement {
                    cpu,
                    vector,
                    affinity_broken: !affinity.contains(cpu),
                });
            }
            Err(MatrixError::InvalidMask | MatrixError::NoVector) => {}
            Err(error) => return Err(error),
        }
    }
    Err(MatrixError::NoVector)
}

/// Takes one of the vectors held for a managed interrupt, on an online CPU of its
/// affinity; it never leaves that.
///
/// # Errors
/// [`MatrixError::InvalidMask`] if no CPU of the affinity is online: the interrupt
/// stays shut down until one is. [`MatrixError::NoVector`] if the CPU chosen holds
/// none that is idle.
pub fn activate_managed(matrix: &mut Matrix, affinity: &CpuSet) -> Result<Placement, MatrixError> {
    let online = affinity.intersect(matrix.online_cpus());
    let (cpu, vector) = matrix.alloc_managed(&online)?;
    Ok(Placement {
        cpu,
        vector,
        affinity_broken: false,
    })
}

#[cfg(all(test, not(loom)))]
// Helpers of tests are tests, which the lints do not see.
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Four CPUs online, two vectors each; CPU 4 is offline.
    fn matrix() -> Matrix {
        let mut matrix = Matrix::with_range(5, 0x20..0x22).unwrap();
        for cpu in 0..4 {
            matrix.online(CpuId(cpu)).unwrap();
        }
        matrix
    }

    fn fill(matrix: &mut Matrix, cpus: core::ops::Range<u32>) {
        while matrix
            .alloc(Affinity::Set(&CpuSet::from(cpus.clone())), false)
            .is_ok()
        {}
    }

    fn cpus(
        matrix: &mut Matrix,
        affinity: Affinity<'_>,
        node: Option<&CpuSet>,
    ) -> Vec<(u32, bool)> {
        core::iter::from_fn(|| activate(matrix, affinity, node, false).ok())
            .map(|placement| (placement.cpu.0, placement.affinity_broken))
            .collect()
    }

    #[test]
    fn without_a_node_the_affinity_comes_before_the_rest() {
        let set = CpuSet::from(2..3);
        let expected = [
            (2, false),
            (2, false),
            (0, true),
            (1, true),
            (3, true),
            (0, true),
            (1, true),
            (3, true),
        ];
        assert_eq!(cpus(&mut matrix(), Affinity::Set(&set), None), expected);
        assert_eq!(cpus(&mut matrix(), Affinity::Cpu(CpuId(2)), None), expected);
        let anywhere = cpus(&mut matrix(), Affinity::Any, None);
        assert!(
            anywhere
                .iter()
                .map(|(cpu, _)| *cpu)
                .eq([0, 1, 2, 3, 0, 1, 2, 3])
        );
        assert!(anywhere.iter().all(|(_, broken)| !broken));
    }

    #[test]
    fn with_a_node_its_cpus_come_before_the_affinity_elsewhere() {
        let (node, set) = (CpuSet::from(0..2), CpuSet::from(1..3));
        let expected = [
            (1, false),
            (1, false),
            (0, true),
            (0, true),
            (2, false),
            (2, false),
            (3, true),
            (3, true),
        ];
        assert_eq!(
            cpus(&mut matrix(), Affinity::Set(&set), Some(&node)),
            expected
        );
        let near = cpus(&mut matrix(), Affinity::Any, Some(&node));
        assert!(
            near.iter()
                .map(|(cpu, _)| *cpu)
                .eq([0, 1, 0, 1, 2, 3, 2, 3])
        );
    }

    #[test]
    fn one_cpu_off_the_node_is_found_when_the_node_is_full() {
        let mut matrix = matrix();
        let node = CpuSet::from(0..2);
        fill(&mut matrix, 0..2);
        let placement = activate(&mut matrix, Affinity::Cpu(CpuId(3)), Some(&node), false).unwrap();
        assert_eq!(
            placement,
            Placement {
                cpu: CpuId(3),
                vector: 0x20,
                affinity_broken: false
            }
        );
    }

    #[test]
    fn an_offline_or_empty_affinity_is_broken_rather_than_refused() {
        let mut matrix = matrix();
        for affinity in [Affinity::Cpu(CpuId(4)), Affinity::Set(&CpuSet::new())] {
            assert!(
                activate(&mut matrix, affinity, None, false)
                    .unwrap()
                    .affinity_broken
            );
        }
    }

    #[test]
    fn a_full_machine_has_no_vector_and_keeps_the_reservation() {
        let mut matrix = matrix();
        assert_eq!(
            activate(&mut matrix, Affinity::Any, None, true),
            Err(MatrixError::NothingReserved)
        );
        let _ = matrix.reserve();
        fill(&mut matrix, 0..4);
        for node in [None, Some(&CpuSet::from(0..2))] {
            assert_eq!(
                activate(&mut matrix, Affinity::Cpu(CpuId(1)), node, true),
                Err(MatrixError::NoVector)
            );
        }
        assert_eq!(matrix.reserved(), 1);
        matrix.free(CpuId(3), 0x21, false).unwrap();
        let placement = activate(&mut matrix, Affinity::Any, None, true).unwrap();
        assert_eq!(
            placement,
            Placement {
                cpu: CpuId(3),
                vector: 0x21,
                affinity_broken: false
            }
        );
        assert_eq!(matrix.reserved(), 0);
        matrix.check().unwrap();
    }

    #[test]
    fn a_managed_interrupt_waits_for_a_cpu_of_its_affinity() {
        let mut matrix = matrix();
        let affinity = CpuSet::from(3..5);
        matrix.reserve_managed(&affinity).unwrap();
        matrix.offline(CpuId(3)).unwrap();
        assert_eq!(
            activate_managed(&mut matrix, &affinity),
            Err(MatrixError::InvalidMask)
        );
        matrix.online(CpuId(4)).unwrap();
        let placement = activate_managed(&mut matrix, &affinity).unwrap();
        assert_eq!(
            placement,
            Placement {
                cpu: CpuId(4),
                vector: 0x20,
                affinity_broken: false
            }
        );
        matrix.check().unwrap();
    }
}
