// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Managed interrupts whose CPUs have gone: shut down, and restarted when one
//! returns.

use alloc::vec::Vec;

use super::entry::{ACTIVE, Entry, MASKED, PLACED, SHUT};
use super::error::DomainError;
use super::hierarchy::Hierarchy;
use super::lifecycle::Start;
use super::retire::{OldTarget, Retiree};
use crate::remap::{EntryMemory, Invalidate};
use crate::vector::{self, CpuId};

impl<M: EntryMemory, I: Invalidate> Hierarchy<M, I> {
    /// Shuts a managed interrupt down: its CPUs have gone. Raises are kept.
    pub(super) fn shut_down(&mut self, virq: u32) -> Result<(), DomainError> {
        let entry = *self.entry_mut(virq)?;
        self.domain_mut(entry.domain)?.backing.freeze(entry.index);
        self.commit(entry.domain)?;
        let old = OldTarget {
            space: entry.space,
            cpu: CpuId(entry.cpu),
            vector: entry.vector,
            managed: true,
        };
        let here = self.entry_mut(virq)?;
        here.set(ACTIVE | PLACED, false);
        here.set(SHUT, true);
        here.retiring = here.retiring.saturating_add(1);
        let handle = entry.is(ACTIVE).then_some(entry.handle);
        self.shut.push(virq);
        self.retire(Retiree {
            virq,
            target: Some(old),
            handle,
            freed: true,
        });
        Ok(())
    }

    /// Has an interrupt that was never started wait for a CPU of its affinity:
    /// frozen, and otherwise masked as its owner wants it.
    pub(super) fn wait_for_a_cpu(&mut self, virq: u32, entry: &Entry) -> Result<(), DomainError> {
        if !entry.is(SHUT) {
            let backing = &mut self.domain_mut(entry.domain)?.backing;
            backing.freeze(entry.index);
            if !entry.is(MASKED) {
                backing.unmask(entry.index);
            }
            self.commit(entry.domain)?;
            self.entry_mut(virq)?.set(SHUT, true);
        }
        self.shut.push(virq);
        Ok(())
    }

    /// Restarts the managed interrupts that have a CPU online again. One that finds
    /// no vector, because its own old one is not quiet yet, waits for the settling
    /// of that. Unless it may `wait` for raisers, those that have not settled since
    /// they were shut down are left alone.
    pub(super) fn restart(&mut self, wait: bool) -> Result<u32, DomainError> {
        let shut = core::mem::take(&mut self.shut);
        let (ready, waiting) = shut
            .into_iter()
            .partition(|&virq| self.can_restart(virq, wait));
        self.shut = waiting;
        let ready: Vec<u32> = ready;
        if wait && !ready.is_empty() {
            // Their slots are written anew: nobody may still be reading them.
            self.grace.wait();
        }
        let mut restarted = 0;
        let mut failed = Ok(());
        for virq in ready {
            let entry = *self.entry_mut(virq)?;
            match self.activate_entry(virq, entry, Start::Again) {
                Ok(_) => restarted += 1,
                Err(error) => {
                    self.shut.push(virq);
                    if !error.is_exhaustion() {
                        failed = Err(error);
                    }
                }
            }
        }
        failed.map(|()| restarted)
    }

    /// Whether a CPU of an interrupt that is shut down is online.
    fn can_restart(&self, virq: u32, wait: bool) -> bool {
        let entry = self.entries.get(virq as usize);
        let Some(entry) = entry.filter(|entry| wait || entry.retiring == 0) else {
            return false;
        };
        let Ok(space) = self.space(entry.space) else {
            return false;
        };
        match self.affinities.get(entry.affinity) {
            vector::Affinity::Set(set) => set.intersects(space.matrix.online_cpus()),
            vector::Affinity::Any | vector::Affinity::Cpu(_) => false,
        }
    }
}
