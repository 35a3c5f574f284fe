// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Giving back what was freed or moved away from, once nobody can meet it.

use alloc::vec::Vec;

use super::device::Path;
use super::hierarchy::Hierarchy;
use super::retire::{OldTarget, Retiree};
use super::space::Virq;
use crate::remap::{EntryMemory, Invalidate};

/// How much may wait before an allocation or a free looks whether it settled.
/// One look costs about as much as raising once for each raiser.
const DUE: usize = 64;

/// How often an allocation that found nothing left looks again.
const PATIENCE: u32 = 256;

impl<M: EntryMemory, I: Invalidate> Hierarchy<M, I> {
    /// Gives back everything whose raisers have left and whose CPU is quiet;
    /// waits for nothing. Returns how much is still on its way.
    ///
    /// Managed interrupts that could not restart with their CPU start now if they
    /// can; only that waits for raisers, and only where the store's sync does.
    ///
    /// A moved interrupt can be moved again once this has given back its old
    /// vector, and a freed index taken again.
    pub fn settle(&mut self) -> usize {
        let mut passed = Vec::new();
        self.retired.cleared.advance(&self.grace, &mut passed);
        for retiree in passed.drain(..) {
            self.clear_entry(&retiree);
            self.retired.away.push(retiree);
        }
        let mut leaving = core::mem::take(&mut self.retired.leaving);
        self.retired.away.advance(&self.grace, &mut leaving);
        leaving.retain(|retiree| {
            // In this order: quiet is what was so after the last way there had gone.
            let quiet =
                self.has_let_go(retiree) && retiree.target.is_none_or(|old| self.is_quiet(&old));
            if quiet {
                self.give_back(retiree);
            }
            !quiet
        });
        self.retired.leaving = leaving;
        if !self.set_aside.is_empty() {
            self.remove_set_aside();
        }
        if !self.shut.is_empty() {
            // One that fails is tried again by the next settling.
            let _ = self.restart(false);
        }
        self.retired.len()
    }

    /// The numbers of freed interrupts that have settled since the last call:
    /// their handlers will not be called again.
    pub fn take_released(&mut self) -> Vec<Virq> {
        core::mem::take(&mut self.released)
    }

    /// Sends a freed interrupt, or an old target, on its way.
    pub(super) fn retire(&mut self, retiree: Retiree) {
        if retiree.freed && retiree.handle.is_some() {
            // The slot is cleared, but someone may have read it before.
            self.retired.cleared.push(retiree);
        } else {
            self.retired.away.push(retiree);
        }
    }

    /// Settles when enough has gathered to be worth a look.
    pub(super) fn settle_if_due(&mut self) {
        if self.retired.len() >= DUE {
            self.settle();
        }
    }

    /// Settles for an allocation that found nothing left; says whether there is
    /// more now. Waits a little for raisers and CPUs that are about to leave.
    pub(super) fn settle_for_more(&mut self) -> bool {
        let before = self.retired.len();
        let mut looks = 0;
        while self.retired.len() > 0 && looks < PATIENCE {
            if self.settle() < before {
                return true;
            }
            #[cfg(not(loom))]
            crate::sync::relax(&mut looks);
            #[cfg(loom)]
            {
                looks += 1;
            }
        }
        false
    }

    /// Whether hardware has let go of the old value of the remap entry; asks it
    /// again if it had not.
    fn has_let_go(&mut self, retiree: &Retiree) -> bool {
        let (Some(handle), Some(unit)) = (retiree.handle, self.unit_of(retiree.virq)) else {
            return true;
        };
        let handle = handle.into();
        !unit.lingers(handle) || unit.invalidate(handle).is_ok()
    }

    fn is_quiet(&self, old: &OldTarget) -> bool {
        self.space(old.space)
            .is_ok_and(|space| space.cpus.is_quiet(old.cpu, old.vector))
    }

    /// Messages that name the entry of a freed interrupt are faults from here on.
    fn clear_entry(&mut self, retiree: &Retiree) {
        if let (Some(handle), Some(unit)) = (retiree.handle, self.unit_of(retiree.virq)) {
            // An invalidation that failed is tried again before anything is given
            // back.
            let _ = unit.clear(handle.into());
        }
    }

    fn give_back(&mut self, retiree: &Retiree) {
        if let Some(old) = &retiree.target
            && let Ok(space) = self.space_mut(old.space)
        {
            space.dispatch.set(old.cpu, old.vector, None);
            // The vector is this retiree's own until here.
            let _ = space.matrix.free(old.cpu, old.vector, old.managed);
        }
        if let (true, Some(handle)) = (retiree.freed, retiree.handle)
            && let Some(unit) = self.unit_of(retiree.virq)
        {
            // One that cannot be released stays out of use rather than going to
            // another.
            let _ = unit.release(handle.into());
        }
        let Some(entry) = self.entries.get_mut(retiree.virq as usize) else {
            return;
        };
        entry.retiring = entry.retiring.saturating_sub(1);
        if entry.retiring == 0 && !entry.is(super::entry::LIVE) {
            self.drop_entry(retiree.virq);
            self.released.push(Virq(retiree.virq));
        }
    }

    fn unit_of(&mut self, virq: u32) -> Option<&mut crate::remap::Control<M, I>> {
        let entry = self.entries.get(virq as usize)?;
        match self.domains.get(entry.domain)?.path {
            Path::Remapped(unit) => self.units.get_mut(usize::from(unit.0)),
            Path::Unmapped(_) => None,
        }
    }
}
