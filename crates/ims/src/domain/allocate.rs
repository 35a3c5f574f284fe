// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Allocating interrupts.

use super::affinity::Affinity;
use super::device::DomainId;
use super::entry::{Entry, Interrupt, LIVE, MANAGED, PLACED, RESERVED};
use super::error::{DomainError, stale};
use super::hierarchy::{DomainKey, Hierarchy};
use super::space::SpaceId;
use crate::remap::{EntryMemory, Invalidate};
use crate::store::Cookie;
use crate::vector::{self, CpuId};

/// What is wanted of an interrupt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// A given index; `None` is the lowest that is free.
    pub index: Option<u32>,
    /// For the store, which reads it when it prepares the slot.
    pub cookie: Cookie,
    /// Whose vectors it takes.
    pub space: SpaceId,
    /// Which CPUs of the space it may go to.
    pub affinity: Affinity,
}

impl Request {
    /// Any index, any CPU of `space`, no cookie.
    pub fn new(space: SpaceId) -> Self {
        Self {
            index: None,
            cookie: Cookie::default(),
            space,
            affinity: Affinity::Any,
        }
    }

    /// The same with a given index.
    #[must_use]
    pub fn at(self, index: u32) -> Self {
        Self {
            index: Some(index),
            ..self
        }
    }

    /// The same with a cookie.
    #[must_use]
    pub fn cookie(self, cookie: impl Into<Cookie>) -> Self {
        Self {
            cookie: cookie.into(),
            ..self
        }
    }

    /// The same with an affinity.
    #[must_use]
    pub fn affinity(self, affinity: Affinity) -> Self {
        Self { affinity, ..self }
    }
}

impl<M: EntryMemory, I: Invalidate> Hierarchy<M, I> {
    /// Allocates an interrupt. Its slot is its own and masked; it has no message
    /// until it is activated.
    ///
    /// A managed interrupt has a vector set aside on each of its CPUs, one with a
    /// CPU or a set has its vector now, and any other a reservation.
    ///
    /// # Errors
    /// [`DomainError::IndexOutOfRange`], [`DomainError::IndexTaken`],
    /// [`DomainError::NoIndex`], [`DomainError::Vector`], [`DomainError::Store`].
    pub fn alloc(&mut self, domain: DomainId, request: &Request) -> Result<Interrupt, DomainError> {
        self.settle_if_due();
        let first = self.alloc_recorded(domain.0, request);
        let token = match first {
            Err(error) if error.is_exhaustion() && self.settle_for_more() => {
                self.alloc_recorded(domain.0, request)?
            }
            other => other?,
        };
        if let Err(error) = self.commit(domain.0) {
            self.undo_alloc(token);
            return Err(error);
        }
        Ok(token)
    }

    /// Everything but the commit.
    pub(super) fn alloc_recorded(
        &mut self,
        key: DomainKey,
        request: &Request,
    ) -> Result<Interrupt, DomainError> {
        self.space(request.space)?;
        let domain = self.domain_mut(key).ok().filter(|domain| !domain.closing);
        let domain = domain.ok_or(stale("domain"))?;
        let limit = domain.indices.limit();
        let index = match request.index {
            Some(index) if index >= limit => {
                return Err(DomainError::IndexOutOfRange { index, limit });
            }
            Some(index) if domain.indices.take_at(index) => index,
            Some(index) => return Err(DomainError::IndexTaken { index }),
            None => domain
                .indices
                .take()
                .ok_or(DomainError::NoIndex { limit })?,
        };
        let Some(virq) = self.virqs.take() else {
            self.give_back_index(key, index);
            return Err(DomainError::NoIndex {
                limit: self.virqs.limit(),
            });
        };
        let generation = self
            .entries
            .get(virq as usize)
            .map_or(0, |entry| entry.generation);
        let mut entry = Entry {
            domain: key,
            index,
            generation,
            affinity: self.affinities.add(&request.affinity),
            cpu: 0,
            space: request.space,
            handle: 0,
            vector: 0,
            flags: LIVE,
            retiring: 0,
        };
        let token = Interrupt { virq, generation };
        let held = self.hold_vector(&mut entry, &request.affinity);
        let ready = held.and_then(|()| {
            let backing = &mut self.domain_mut(key)?.backing;
            Ok(backing.prepare(index, request.cookie)?)
        });
        self.put_entry(virq, entry);
        if let Err(error) = ready {
            self.undo_alloc(token);
            return Err(error);
        }
        let domain = self.domain_mut(key)?;
        domain.set_at(index, Some(virq));
        domain.backing.open(index);
        Ok(token)
    }

    /// Sets a vector aside, takes one, or reserves one, as the affinity says.
    fn hold_vector(&mut self, entry: &mut Entry, affinity: &Affinity) -> Result<(), DomainError> {
        let matrix = &mut self.space_mut(entry.space)?.matrix;
        match affinity {
            Affinity::Any => {
                let _ = matrix.reserve();
                entry.set(RESERVED, true);
                return Ok(());
            }
            Affinity::Managed(set) => {
                matrix.reserve_managed(set)?;
                entry.set(MANAGED, true);
                return Ok(());
            }
            Affinity::Cpu(_) | Affinity::Cpus(_) => {}
        }
        let placement = vector::activate(matrix, affinity.cpus(), None, false)?;
        entry.cpu = placement.cpu.0;
        entry.vector = placement.vector;
        entry.set(PLACED, true);
        Ok(())
    }

    fn put_entry(&mut self, virq: u32, entry: Entry) {
        if let Some(place) = self.entries.get_mut(virq as usize) {
            *place = entry;
            return;
        }
        self.entries.push(entry);
    }

    /// Takes back an allocation that nobody has seen: nothing to wait for.
    pub(super) fn undo_alloc(&mut self, token: Interrupt) {
        let Ok(entry) = self.entry(token) else { return };
        if let Ok(domain) = self.domain_mut(entry.domain) {
            domain.backing.close(entry.index);
            domain.backing.clear(entry.index);
        }
        let _ = self.commit(entry.domain);
        if entry.is(PLACED)
            && let Ok(space) = self.space_mut(entry.space)
        {
            // It was this allocation's own a moment ago.
            let _ = space.matrix.free(CpuId(entry.cpu), entry.vector, false);
        }
        self.unhold(&entry);
        self.drop_entry(token.virq);
    }
}
