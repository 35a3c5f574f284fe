// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the owner of a host's interrupts may expect: a plain list of them, and the
//! set of bits pending at each CPU.

use super::host::ENGINES;
use crate::domain::*;
use crate::sink::{Acceptance, Refusal};
use crate::store::Pasid;
use crate::vector::CpuSet;
use std::collections::{BTreeMap, BTreeSet};

/// A place where an interrupt is pending: space, CPU, vector.
pub(super) type Place = (SpaceId, u32, u8);

/// One interrupt that was ever allocated.
#[derive(Debug, Clone)]
pub(super) struct Life {
    pub(super) token: Interrupt,
    pub(super) domain: usize,
    pub(super) index: u32,
    pub(super) space: SpaceId,
    pub(super) managed: Option<CpuSet>,
    pub(super) owner: Option<Pasid>,
    pub(super) live: bool,
    pub(super) started: bool,
    pub(super) masked: bool,
    /// Where it is, if it runs.
    pub(super) at: Option<Place>,
    /// Copies of its slot in which a raise is kept.
    pub(super) held: BTreeSet<u32>,
    pub(super) counts: Counts,
    pub(super) taken: u64,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) lives: Vec<Life>,
    /// What is pending, and whose it is.
    pub(super) pending: BTreeMap<Place, usize>,
    /// Raises of nobody, by domain.
    pub(super) strays: BTreeMap<usize, u64>,
}

impl Life {
    /// Raises go to its CPU.
    pub(super) fn runs(&self) -> bool {
        self.live && self.at.is_some() && self.started && !self.masked
    }
}

impl Model {
    pub(super) fn live_at(&self, domain: usize, index: u32) -> Option<usize> {
        let here = |life: &Life| life.live && life.domain == domain && life.index == index;
        self.lives.iter().position(here)
    }

    pub(super) fn live(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.lives.len()).filter(|&at| self.lives[at].live)
    }

    /// Whether something of it is pending somewhere.
    pub(super) fn is_pending(&self, life: usize) -> bool {
        self.pending.values().any(|&owner| owner == life)
    }

    /// Whether an interrupt that had this index is not yet quiet.
    pub(super) fn is_retiring(&self, domain: usize, index: u32) -> bool {
        (0..self.lives.len()).any(|at| {
            let life = &self.lives[at];
            !life.live && life.domain == domain && life.index == index && self.is_pending(at)
        })
    }

    /// A message leaves for the interrupt's CPU.
    fn send(&mut self, life: usize) -> Acceptance {
        let place = self.lives[life].at.unwrap();
        match self.pending.insert(place, life) {
            None => Acceptance::Fresh,
            Some(other) => {
                assert_eq!(other, life, "two interrupts at one vector");
                self.lives[life].counts.coalesced += 1;
                Acceptance::Coalesced
            }
        }
    }

    pub(super) fn raise(
        &mut self,
        domain: usize,
        replicated: bool,
        engine: u32,
        index: u32,
        submitter: Option<Pasid>,
    ) -> Raised {
        let missing = replicated && engine >= ENGINES;
        let Some(at) = self.live_at(domain, index).filter(|_| !missing) else {
            *self.strays.entry(domain).or_default() += 1;
            return Raised::Refused(Refusal::NotAllocated);
        };
        let life = &mut self.lives[at];
        life.counts.raised += 1;
        if life.owner.is_some() && life.owner != submitter {
            life.counts.refused += 1;
            return Raised::Refused(Refusal::Pasid);
        }
        if life.runs() {
            return Raised::Sent(self.send(at));
        }
        if life.held.insert(if replicated { engine } else { 0 }) {
            life.counts.held += 1;
            Raised::Held
        } else {
            life.counts.coalesced += 1;
            Raised::Met
        }
    }

    /// It runs from here on: what was kept is delivered once.
    pub(super) fn release_held(&mut self, life: usize) {
        let held = std::mem::take(&mut self.lives[life].held).len();
        if held > 0 {
            self.lives[life].counts.coalesced += held as u64 - 1;
            self.send(life);
        }
    }

    /// Freed. Says whether something is dropped.
    pub(super) fn free(&mut self, at: usize) -> bool {
        let life = &mut self.lives[at];
        life.live = false;
        let held = std::mem::take(&mut life.held).len();
        if held > 0 {
            life.counts.dropped += 1;
            life.counts.coalesced += held as u64 - 1;
        }
        held > 0
    }

    /// What a CPU must find pending, and whose it is.
    pub(super) fn harvest(&mut self, space: SpaceId, cpu: u32) -> BTreeMap<u8, Virq> {
        let mut found = BTreeMap::new();
        for vector in 0..=u8::MAX {
            if let Some(life) = self.pending.remove(&(space, cpu, vector)) {
                self.lives[life].taken += 1;
                found.insert(vector, self.lives[life].token.virq());
            }
        }
        found
    }
}
