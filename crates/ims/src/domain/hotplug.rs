// SPDX-License-Identifier: Apache-2.0 OR MIT
//! CPUs that come and go.

use alloc::vec::Vec;

use super::entry::{LIVE, MANAGED};
use super::error::DomainError;
use super::hierarchy::Hierarchy;
use super::space::SpaceId;
use crate::remap::{EntryMemory, Invalidate};
use crate::vector::{self, CpuId};

/// What became of the interrupts of a CPU that went offline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Evacuated {
    /// Went to other CPUs.
    pub moved: u32,
    /// Were managed, and this was the last of their CPUs.
    pub shut_down: u32,
}

impl<M: EntryMemory, I: Invalidate> Hierarchy<M, I> {
    /// Brings a CPU online; managed interrupts that waited for it start again.
    /// Says how many. One whose old vector there is not quiet yet starts when
    /// [`Hierarchy::settle`] has given that back.
    ///
    /// # Errors
    /// [`DomainError::Vector`] if it is online already; whatever else
    /// [`Hierarchy::activate`] may say: the CPU is online, those interrupts stay
    /// shut down, and settling tries again.
    pub fn cpu_online(&mut self, space: SpaceId, cpu: CpuId) -> Result<u32, DomainError> {
        self.space_mut(space)?.matrix.online(cpu)?;
        self.restart(true)
    }

    /// Takes a CPU offline: moves its interrupts to others, and shuts down managed
    /// ones that have no other.
    ///
    /// The CPU must go on taking interrupts until [`Hierarchy::settle`] has given
    /// back its vectors: what was on its way still comes to it.
    ///
    /// # Errors
    /// [`DomainError::Vector`] if the others have no room, [`DomainError::Moving`]
    /// if an interrupt of it is still moving. The CPU is online then, and what
    /// had moved before the error has moved.
    pub fn cpu_offline(&mut self, space: SpaceId, cpu: CpuId) -> Result<Evacuated, DomainError> {
        self.settle();
        let here = self.space(space)?;
        here.matrix.check_offline(cpu)?;
        let placed: Vec<u32> = here.dispatch.of(cpu).map(|(_, virq)| virq.0).collect();
        let placed: Vec<u32> = placed
            .into_iter()
            .filter(|&virq| self.is_on(virq, cpu))
            .collect();
        if placed.iter().any(|&virq| {
            self.entries
                .get(virq as usize)
                .is_some_and(|e| e.retiring > 0)
        }) {
            return Err(DomainError::Moving);
        }
        self.space_mut(space)?.matrix.offline(cpu)?;
        let mut evacuated = Evacuated::default();
        for virq in placed {
            let last = self.is_managed_without_cpu(virq)?;
            let done = if last {
                self.shut_down(virq)
            } else {
                self.evacuate(virq)
            };
            if let Err(error) = done {
                self.space_mut(space)?.matrix.online(cpu)?;
                return Err(error);
            }
            if last {
                evacuated.shut_down += 1;
            } else {
                evacuated.moved += 1;
            }
        }
        Ok(evacuated)
    }

    /// Whether a live interrupt's target is on `cpu` (rather than an old one).
    fn is_on(&self, virq: u32, cpu: CpuId) -> bool {
        self.entries
            .get(virq as usize)
            .is_some_and(|entry| entry.is(LIVE) && entry.cpu == cpu.0)
    }

    fn is_managed_without_cpu(&mut self, virq: u32) -> Result<bool, DomainError> {
        let entry = *self.entry_mut(virq)?;
        let online = self.space(entry.space)?.matrix.online_cpus();
        Ok(match self.affinities.get(entry.affinity) {
            vector::Affinity::Set(set) if entry.is(MANAGED) => !set.intersects(online),
            _ => false,
        })
    }
}
