// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A vector space: CPUs whose vectors are given out together, from one matrix.
//!
//! The host's CPUs are one space, and each guest's virtual CPUs are another. An
//! interrupt for a space of CPUs with APIC ids gets a remapped entry and a vector
//! of the host's; one for a space of virtual CPUs gets a posted entry and a
//! vector of that guest's.

use alloc::sync::Arc;

use crate::message::Destination;
use crate::segments::Segments;
use crate::sync::{AtomicU32, Ordering};
use crate::vector::{CpuId, Matrix};

/// Vectors a CPU knows.
const VECTORS: usize = 256;

/// A host-wide interrupt number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Virq(pub u32);

/// Names a vector space of a [`super::Hierarchy`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpaceId(pub(super) u16);

/// How an interrupt reaches a CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// By its APIC: a remapped entry, or a compatibility message.
    Apic(Destination),
    /// By its posted interrupt descriptor: a posted entry.
    Posted {
        /// What the entry names the descriptor by; a multiple of 64.
        descriptor: u64,
    },
}

/// What a space must know of its CPUs. Implemented by the host.
pub trait Cpus: Send + Sync {
    /// How an interrupt reaches `cpu`; `None` if it cannot.
    fn reach(&self, cpu: CpuId) -> Option<Reach>;

    /// Whether nothing that was sent to `vector` of `cpu` before this call is
    /// still pending there or being handled.
    fn is_quiet(&self, cpu: CpuId, vector: u8) -> bool;
}

/// Which interrupt a CPU takes with which vector. The data half of a space.
///
/// # Concurrency
/// CPUs look up while the control half changes; a vector that is in use, or that
/// was moved away and may still be pending, keeps its interrupt.
#[derive(Debug, Clone, Default)]
pub struct Dispatch(Arc<Segments<CpuVectors>>);

/// One CPU's vectors: 0 is nobody's, anything else a [`Virq`] plus one.
#[derive(Debug)]
struct CpuVectors([AtomicU32; VECTORS]);

impl Dispatch {
    /// The interrupt that `cpu` takes with `vector`.
    #[inline]
    pub fn virq(&self, cpu: CpuId, vector: u8) -> Option<Virq> {
        let CpuVectors(vectors) = self.0.get(cpu.0)?;
        vectors
            .get(usize::from(vector))?
            .load(Ordering::Acquire)
            .checked_sub(1)
            .map(Virq)
    }

    pub(crate) fn add_cpus(&self, count: u32) {
        let empty = |_| CpuVectors(core::array::from_fn(|_| AtomicU32::new(0)));
        self.0.grow(count, empty);
    }

    pub(crate) fn set(&self, cpu: CpuId, vector: u8, virq: Option<Virq>) {
        if let Some(CpuVectors(vectors)) = self.0.get(cpu.0)
            && let Some(entry) = vectors.get(usize::from(vector))
        {
            // Release: the handler was registered before the vector is live.
            entry.store(virq.map_or(0, |Virq(number)| number + 1), Ordering::Release);
        }
    }

    /// The interrupts of `cpu`, by vector.
    pub(super) fn of(&self, cpu: CpuId) -> impl Iterator<Item = (u8, Virq)> + '_ {
        (0..=u8::MAX).filter_map(move |vector| Some((vector, self.virq(cpu, vector)?)))
    }
}

/// One space: its matrix, its CPUs, and who is at which vector.
pub(super) struct Space {
    pub(super) matrix: Matrix,
    pub(super) cpus: Arc<dyn Cpus>,
    pub(super) dispatch: Dispatch,
}

impl core::fmt::Debug for Space {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Space")
            .field("matrix", &self.matrix)
            .finish_non_exhaustive()
    }
}
