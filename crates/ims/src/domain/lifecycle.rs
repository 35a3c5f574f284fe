// SPDX-License-Identifier: Apache-2.0 OR MIT
//! From allocated to active: activate, mask, unmask.

use super::device::Path;
use super::entry::{ACTIVE, Entry, Interrupt, MANAGED, MASKED, PLACED, RESERVED, SHUT};
use super::error::DomainError;
use super::hierarchy::Hierarchy;
use super::space::{Reach, SpaceId, Virq};
use crate::message::{Compatibility, DeliveryMode, Message, Remappable, Trigger};
use crate::remap::{EntryMemory, Invalidate, Source, Target};
use crate::vector::{self, CpuId, MatrixError, Placement};

/// Where an interrupt is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location {
    /// Its index in its domain.
    pub index: u32,
    /// Its vector space.
    pub space: SpaceId,
    /// Its CPU and vector, if it has one.
    pub target: Option<(CpuId, u8)>,
    /// Its remap entry, if it is active in a remapped domain.
    pub handle: Option<u16>,
}

/// How often an interrupt has been started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// Not yet: its slot is masked since it was prepared.
    First,
    /// Before: its slot is frozen since it was shut down.
    Again,
}

/// What an activation came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activated {
    /// It can be raised.
    Running(Placement),
    /// It is managed and none of its CPUs is online; it starts when one comes.
    ShutDown,
}

impl<M: EntryMemory, I: Invalidate> Hierarchy<M, I> {
    /// Gives an interrupt its vector, its remap entry and its message, and unmasks
    /// it unless its owner has masked it before.
    ///
    /// # Errors
    /// [`DomainError::Active`], [`DomainError::Stale`], [`DomainError::Vector`]
    /// when no vector is left, [`DomainError::Remap`] when the table is full,
    /// [`DomainError::Unreachable`], [`DomainError::Store`].
    pub fn activate(&mut self, token: Interrupt) -> Result<Activated, DomainError> {
        let entry = self.entry(token)?;
        if entry.is(ACTIVE) || entry.is(SHUT) {
            return Err(DomainError::Active);
        }
        self.activate_entry(token.virq, entry, Start::First)
    }

    pub(super) fn activate_entry(
        &mut self,
        virq: u32,
        mut entry: Entry,
        start: Start,
    ) -> Result<Activated, DomainError> {
        let held = entry;
        if entry.is(PLACED) && !self.space(entry.space)?.matrix.is_online(CpuId(entry.cpu)) {
            // The CPU it was given at allocation has gone since.
            entry.set(PLACED, false);
        }
        let placement = match self.place(&entry) {
            Err(error) if error.is_exhaustion() && self.settle_for_more() => self.place(&entry),
            other => other,
        };
        let placement = match placement {
            Err(DomainError::Vector(MatrixError::InvalidMask)) if entry.is(MANAGED) => {
                self.wait_for_a_cpu(virq, &entry)?;
                return Ok(Activated::ShutDown);
            }
            other => other?,
        };
        let started = match self.start(virq, &entry, placement, start) {
            // Handles of freed interrupts may be about to come back.
            Err(error) if error.is_exhaustion() && self.settle_for_more() => {
                self.start(virq, &entry, placement, start)
            }
            other => other,
        };
        if let Err(error) = started {
            self.undo_place(&entry, placement);
            return Err(error);
        }
        if held.is(PLACED) && !entry.is(PLACED) {
            let matrix = &mut self.space_mut(held.space)?.matrix;
            matrix.free(CpuId(held.cpu), held.vector, false)?;
        }
        let entry = self.entry_mut(virq)?;
        entry.set(SHUT, false);
        entry.set(ACTIVE | PLACED, true);
        entry.set(RESERVED, false);
        entry.cpu = placement.cpu.0;
        entry.vector = placement.vector;
        Ok(Activated::Running(placement))
    }

    /// Masks an interrupt: raises are kept from when this returns.
    ///
    /// # Errors
    /// [`DomainError::Stale`], [`DomainError::Store`].
    pub fn mask(&mut self, token: Interrupt) -> Result<(), DomainError> {
        let entry = self.entry(token)?;
        if entry.is(ACTIVE) || entry.is(SHUT) {
            self.domain_mut(entry.domain)?.backing.mask(entry.index);
            self.commit(entry.domain)?;
        }
        self.entry_mut(token.virq)?.set(MASKED, true);
        Ok(())
    }

    /// Unmasks an interrupt, and delivers what was kept, once.
    ///
    /// # Errors
    /// [`DomainError::Stale`], [`DomainError::Store`].
    pub fn unmask(&mut self, token: Interrupt) -> Result<(), DomainError> {
        let entry = self.entry(token)?;
        if entry.is(ACTIVE) || entry.is(SHUT) {
            self.domain_mut(entry.domain)?.backing.unmask(entry.index);
            self.commit(entry.domain)?;
        }
        self.entry_mut(token.virq)?.set(MASKED, false);
        Ok(())
    }

    /// Where an interrupt is now.
    ///
    /// # Errors
    /// [`DomainError::Stale`].
    pub fn location(&self, token: Interrupt) -> Result<Location, DomainError> {
        let entry = self.entry(token)?;
        let remapped = matches!(
            self.domains.get(entry.domain).map(|domain| domain.path),
            Some(Path::Remapped(_))
        );
        Ok(Location {
            index: entry.index,
            space: entry.space,
            target: entry.is(PLACED).then_some((CpuId(entry.cpu), entry.vector)),
            handle: (entry.is(ACTIVE) && remapped).then_some(entry.handle),
        })
    }

    /// Finds a vector, unless the interrupt has one.
    fn place(&mut self, entry: &Entry) -> Result<Placement, DomainError> {
        if entry.is(PLACED) {
            let (cpu, vector) = (CpuId(entry.cpu), entry.vector);
            return Ok(Placement {
                cpu,
                vector,
                affinity_broken: false,
            });
        }
        self.find_vector(entry, entry.is(RESERVED))
    }

    /// Takes a vector within the interrupt's affinity: one set aside if it is
    /// managed, else a free one, against its reservation if it has one.
    pub(super) fn find_vector(
        &mut self,
        entry: &Entry,
        reserved: bool,
    ) -> Result<Placement, DomainError> {
        let affinity = self.affinities.get(entry.affinity);
        let space = self.spaces.get_mut(usize::from(entry.space.0));
        let matrix = &mut space.ok_or(super::error::stale("vector space"))?.matrix;
        Ok(match affinity {
            vector::Affinity::Set(set) if entry.is(MANAGED) => {
                vector::activate_managed(matrix, set)?
            }
            affinity => vector::activate(matrix, affinity, None, reserved)?,
        })
    }

    /// Gives back a vector that nobody could have been told of.
    fn undo_place(&mut self, entry: &Entry, placement: Placement) {
        if entry.is(PLACED) {
            return;
        }
        if let Ok(space) = self.space_mut(entry.space) {
            let _ = space
                .matrix
                .free(placement.cpu, placement.vector, entry.is(MANAGED));
            if entry.is(RESERVED) {
                let _ = space.matrix.reserve();
            }
        }
    }

    /// Makes everything on the way from slot to CPU lead to `placement`.
    fn start(
        &mut self,
        virq: u32,
        entry: &Entry,
        placement: Placement,
        start: Start,
    ) -> Result<(), DomainError> {
        let domain = self
            .domains
            .get(entry.domain)
            .ok_or(super::error::stale("domain"))?;
        let (path, source) = (domain.path, Source::exactly(domain.requester));
        let reach = self.reach(entry.space, placement.cpu)?;
        let message = match path {
            Path::Remapped(unit) => {
                let unit = self.unit_mut(unit)?;
                let handle = unit.allocate()?;
                if let Err(error) = unit.bind(handle, source, target(reach, placement.vector)) {
                    // If it was written after all, it is cleared before it goes.
                    let _ = unit.clear(handle);
                    let _ = unit.release(handle);
                    return Err(error.into());
                }
                // A message names an entry by 16 bits, and a table has no more.
                let handle = (handle & 0xffff) as u16;
                self.entry_mut(virq)?.handle = handle;
                Remappable {
                    handle,
                    subhandle: None,
                }
                .encode()
            }
            Path::Unmapped(_) => self.unmapped_message(path, reach, placement.vector)?,
        };
        let space = self.space_mut(entry.space)?;
        space
            .dispatch
            .set(placement.cpu, placement.vector, Some(Virq(virq)));
        let backing = &mut self.domain_mut(entry.domain)?.backing;
        backing.program(entry.index, message);
        match start {
            Start::First if entry.is(MASKED) => {}
            Start::First => backing.unmask(entry.index),
            Start::Again => backing.thaw(entry.index),
        }
        if let Err(error) = self.commit(entry.domain) {
            self.space_mut(entry.space)?
                .dispatch
                .set(placement.cpu, placement.vector, None);
            if let Path::Remapped(unit) = path {
                let handle = self.entry_mut(virq)?.handle;
                let unit = self.unit_mut(unit)?;
                let _ = unit.clear(handle.into());
                let _ = unit.release(handle.into());
            }
            return Err(error);
        }
        Ok(())
    }

    /// How an interrupt reaches a CPU.
    pub(super) fn reach(&self, space: SpaceId, cpu: CpuId) -> Result<Reach, DomainError> {
        self.space(space)?
            .cpus
            .reach(cpu)
            .ok_or(DomainError::Unreachable { cpu })
    }

    /// The message of a slot that names its CPU itself.
    pub(super) fn unmapped_message(
        &self,
        path: Path,
        reach: Reach,
        vector: u8,
    ) -> Result<Message, DomainError> {
        let (Path::Unmapped(addressing), Reach::Apic(destination)) = (path, reach) else {
            return Err(DomainError::UnmappedPosting);
        };
        let delivery = DeliveryMode::Fixed;
        let message = Compatibility {
            destination,
            delivery,
            trigger: Trigger::Edge,
            vector,
        };
        Ok(message.encode(addressing)?)
    }
}

/// The remap entry's target for a CPU and a vector.
pub(super) fn target(reach: Reach, vector: u8) -> Target {
    match reach {
        Reach::Apic(destination) => Target::Remapped {
            destination,
            vector,
            delivery: DeliveryMode::Fixed,
            trigger_level: false,
        },
        Reach::Posted { descriptor } => Target::Posted {
            descriptor,
            vector,
            urgent: false,
        },
    }
}
