// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Moving an interrupt to another CPU.

use super::affinity::Affinity;
use super::device::Path;
use super::entry::{ACTIVE, Entry, Interrupt, MANAGED, PLACED};
use super::error::DomainError;
use super::hierarchy::Hierarchy;
use super::lifecycle::target;
use super::retire::{OldTarget, Retiree};
use super::space::Virq;
use crate::remap::{ControlError, EntryMemory, Invalidate};
use crate::vector::{self, CpuId, Placement};

/// What a change of affinity came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// It stayed: its CPU is among the new ones, or it has none yet.
    Stayed,
    /// It goes to a new target; the old one is given back when it is quiet.
    Away {
        /// Where it was.
        from: (CpuId, u8),
        /// Where it is.
        to: (CpuId, u8),
    },
}

impl<M: EntryMemory, I: Invalidate> Hierarchy<M, I> {
    /// Changes which CPUs an interrupt may go to, and moves it if it must.
    ///
    /// In a remapped domain a move is one write of one entry. In an unmapped one
    /// the slot is frozen, rewritten after the raisers that may have read it have
    /// left (this waits for them), thawed, and what came meanwhile replayed; its
    /// mask stays as its owner has it.
    ///
    /// # Errors
    /// [`DomainError::Managed`], [`DomainError::Moving`] while the last move is
    /// not over, [`DomainError::Vector`], [`DomainError::Unreachable`],
    /// [`DomainError::Remap`], [`DomainError::Store`].
    pub fn set_affinity(
        &mut self,
        token: Interrupt,
        affinity: &Affinity,
    ) -> Result<Moved, DomainError> {
        let entry = self.entry(token)?;
        if entry.is(MANAGED) || matches!(affinity, Affinity::Managed(_)) {
            return Err(DomainError::Managed);
        }
        let moved = self.move_within(token.virq, &entry, affinity)?;
        let new = self.affinities.add(affinity);
        self.affinities.remove(entry.affinity);
        self.entry_mut(token.virq)?.affinity = new;
        Ok(moved)
    }

    fn move_within(
        &mut self,
        virq: u32,
        entry: &Entry,
        affinity: &Affinity,
    ) -> Result<Moved, DomainError> {
        let here = CpuId(entry.cpu);
        let online = self.space(entry.space)?.matrix.is_online(here);
        let allowed = affinity.cpus().contains(here);
        if !entry.is(PLACED) || (online && allowed) {
            return Ok(Moved::Stayed);
        }
        self.check_settled(virq)?;
        let matrix = &mut self.space_mut(entry.space)?.matrix;
        let placement = vector::activate(matrix, affinity.cpus(), None, false)?;
        if placement.cpu == here && online {
            // Nothing better was left.
            let _ = matrix.free(placement.cpu, placement.vector, false);
            return Ok(Moved::Stayed);
        }
        self.move_to(virq, entry, placement)
    }

    /// Moves an interrupt off a CPU that goes offline, within its own affinity if
    /// that is still possible.
    pub(super) fn evacuate(&mut self, virq: u32) -> Result<(), DomainError> {
        let entry = *self.entry_mut(virq)?;
        self.check_settled(virq)?;
        let placement = self.find_vector(&entry, false)?;
        self.move_to(virq, &entry, placement).map(|_| ())
    }

    /// The old target of the last move must have been given back.
    fn check_settled(&mut self, virq: u32) -> Result<(), DomainError> {
        if self.entry_mut(virq)?.retiring != 0 {
            self.settle();
        }
        if self.entry_mut(virq)?.retiring == 0 {
            Ok(())
        } else {
            Err(DomainError::Moving)
        }
    }

    /// Has everything lead to `placement`, which is allocated already, and sends
    /// the old target on its way. On an error the placement is given back.
    fn move_to(
        &mut self,
        virq: u32,
        entry: &Entry,
        placement: Placement,
    ) -> Result<Moved, DomainError> {
        let managed = entry.is(MANAGED);
        let Placement { cpu, vector, .. } = placement;
        self.space_mut(entry.space)?
            .dispatch
            .set(cpu, vector, Some(Virq(virq)));
        if let Err(error) = self.redirect(entry, placement) {
            let space = self.space_mut(entry.space)?;
            space.dispatch.set(cpu, vector, None);
            let _ = space.matrix.free(cpu, vector, managed);
            return Err(error);
        }
        let from = (CpuId(entry.cpu), entry.vector);
        let here = self.entry_mut(virq)?;
        here.cpu = cpu.0;
        here.vector = vector;
        here.retiring = here.retiring.saturating_add(1);
        let old = OldTarget {
            space: entry.space,
            cpu: from.0,
            vector: from.1,
            managed,
        };
        self.retire(Retiree {
            virq,
            target: Some(old),
            handle: entry.is(ACTIVE).then_some(entry.handle),
            freed: false,
        });
        self.settle_if_due();
        Ok(Moved::Away {
            from,
            to: (cpu, vector),
        })
    }

    /// Rewrites the one place that names the target.
    fn redirect(&mut self, entry: &Entry, placement: Placement) -> Result<(), DomainError> {
        if !entry.is(ACTIVE) {
            return Ok(());
        }
        let reach = self.reach(entry.space, placement.cpu)?;
        let path = self.domain_mut(entry.domain)?.path;
        if let Path::Remapped(unit) = path {
            let unit = self.unit_mut(unit)?;
            return match unit.retarget(entry.handle.into(), target(reach, placement.vector)) {
                // The entry is written. Where it led before stays the interrupt's
                // own until hardware has let go of that.
                Ok(()) | Err(ControlError::Invalidate(_)) => Ok(()),
                Err(error) => Err(error.into()),
            };
        }
        let message = self.unmapped_message(path, reach, placement.vector)?;
        // One commit for all of it: either the slot moves, or it is as before. A
        // store that only records here waits in its own sync.
        self.domain_mut(entry.domain)?.backing.freeze(entry.index);
        self.grace.wait();
        let backing = &mut self.domain_mut(entry.domain)?.backing;
        backing.program(entry.index, message);
        backing.thaw(entry.index);
        self.commit(entry.domain)?;
        Ok(())
    }
}
