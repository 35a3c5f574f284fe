// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The control half of a host: its vector spaces, remap units, devices and their
//! domains, and every interrupt in them.

use alloc::sync::Arc;
use alloc::vec::Vec;

use slotmap::{SlotMap, new_key_type};

use super::affinity::{AffinityId, AffinityTable};
use super::chunks::Chunks;
use super::device::{Device, Domain, DomainId};
use super::entry::{Entry, Interrupt, LIVE};
use super::error::{DomainError, stale};
use super::index::IndexPool;
use super::record::Counts;
use super::retire::Retired;
use super::space::{Cpus, Dispatch, Space, SpaceId, Virq};
use crate::grace::{Grace, Raiser};
use crate::remap::{Control, EntryMemory, Invalidate, NoInvalidate, PairTable};
use crate::vector::Matrix;

new_key_type! {
    pub(crate) struct DeviceKey;
    pub(crate) struct DomainKey;
}

/// Names a remap unit of a [`Hierarchy`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UnitId(pub(super) u16);

/// The control half of a host.
///
/// It owns everything that is allocated: interrupts, vectors, remap entries,
/// slots. What raises and takes interrupts are data halves that it hands out:
/// [`super::Port`], [`Raiser`], [`Dispatch`], and the remap unit's.
///
/// # Concurrency
/// One thread at a time (`&mut`), while any number raise and take interrupts. It
/// waits only where the documentation says so, and then only for raisers.
pub struct Hierarchy<M = PairTable, I = NoInvalidate> {
    pub(super) spaces: Vec<Space>,
    pub(super) units: Vec<Control<M, I>>,
    pub(super) devices: SlotMap<DeviceKey, Device>,
    pub(super) domains: SlotMap<DomainKey, Domain>,
    pub(super) entries: Chunks<Entry>,
    pub(super) virqs: IndexPool,
    pub(super) affinities: AffinityTable,
    pub(super) grace: Grace,
    pub(super) raiser: Raiser,
    pub(super) retired: Retired,
    pub(super) released: Vec<Virq>,
    /// Managed interrupts that wait for a CPU.
    pub(super) shut: Vec<u32>,
    /// CPUs on which a vector is still set aside for a managed interrupt that is
    /// gone.
    pub(super) set_aside: Vec<(SpaceId, AffinityId)>,
}

impl<M, I> core::fmt::Debug for Hierarchy<M, I> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Hierarchy")
            .field("spaces", &self.spaces)
            .field("devices", &self.devices.len())
            .field("domains", &self.domains.len())
            .field("interrupts", &self.virqs.taken())
            .field("retiring", &self.retired.len())
            .finish_non_exhaustive()
    }
}

impl<M: EntryMemory, I: Invalidate> Default for Hierarchy<M, I> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M: EntryMemory, I: Invalidate> Hierarchy<M, I> {
    /// A host with nothing in it.
    pub fn new() -> Self {
        let mut grace = Grace::new();
        let raiser = grace.raiser();
        Self {
            spaces: Vec::new(),
            units: Vec::new(),
            devices: SlotMap::with_key(),
            domains: SlotMap::with_key(),
            entries: Chunks::new(),
            virqs: IndexPool::new(u32::MAX - 1),
            affinities: AffinityTable::default(),
            grace,
            raiser,
            retired: Retired::default(),
            released: Vec::new(),
            shut: Vec::new(),
            set_aside: Vec::new(),
        }
    }

    /// Adds a vector space: the vectors of `matrix`, on CPUs that `cpus` knows.
    ///
    /// # Errors
    /// [`DomainError::Size`] beyond 65,536 spaces.
    pub fn add_space(
        &mut self,
        matrix: Matrix,
        cpus: Arc<dyn Cpus>,
    ) -> Result<SpaceId, DomainError> {
        let id = number(self.spaces.len())?;
        let dispatch = Dispatch::default();
        dispatch.add_cpus(matrix.cpus());
        self.spaces.push(Space {
            matrix,
            cpus,
            dispatch,
        });
        Ok(SpaceId(id))
    }

    /// Adds a remap unit.
    ///
    /// # Errors
    /// [`DomainError::Size`] beyond 65,536 units.
    pub fn add_unit(&mut self, unit: Control<M, I>) -> Result<UnitId, DomainError> {
        let id = number(self.units.len())?;
        self.units.push(unit);
        Ok(UnitId(id))
    }

    /// A right to raise, for one more thread.
    pub fn raiser(&mut self) -> Raiser {
        self.grace.raiser()
    }

    /// Which interrupt each CPU of a space takes with which vector.
    pub fn dispatch(&self, space: SpaceId) -> Option<Dispatch> {
        self.space(space).ok().map(|space| space.dispatch.clone())
    }

    /// The matrix of a space, for reading.
    pub fn matrix(&self, space: SpaceId) -> Option<&Matrix> {
        self.space(space).ok().map(|space| &space.matrix)
    }

    /// A remap unit, for reading.
    pub fn unit(&self, unit: UnitId) -> Option<&Control<M, I>> {
        self.units.get(usize::from(unit.0))
    }

    /// How many interrupts are allocated, or freed and not yet settled.
    pub fn interrupts(&self) -> u32 {
        self.virqs.taken()
    }

    /// What happened to interrupts of a domain that have been freed and settled.
    pub fn past_counts(&self, domain: DomainId) -> Option<Counts> {
        self.domains.get(domain.0).map(|domain| domain.past)
    }

    pub(super) fn space(&self, SpaceId(space): SpaceId) -> Result<&Space, DomainError> {
        self.spaces
            .get(usize::from(space))
            .ok_or(stale("vector space"))
    }

    pub(super) fn space_mut(&mut self, SpaceId(space): SpaceId) -> Result<&mut Space, DomainError> {
        self.spaces
            .get_mut(usize::from(space))
            .ok_or(stale("vector space"))
    }

    pub(super) fn unit_mut(
        &mut self,
        UnitId(unit): UnitId,
    ) -> Result<&mut Control<M, I>, DomainError> {
        self.units
            .get_mut(usize::from(unit))
            .ok_or(stale("remap unit"))
    }

    pub(super) fn domain_mut(&mut self, key: DomainKey) -> Result<&mut Domain, DomainError> {
        self.domains.get_mut(key).ok_or(stale("domain"))
    }

    /// The entry a token names.
    pub(super) fn entry(&self, token: Interrupt) -> Result<Entry, DomainError> {
        self.entries
            .get(token.virq as usize)
            .filter(|entry| entry.generation == token.generation && entry.is(LIVE))
            .copied()
            .ok_or(stale("interrupt"))
    }

    pub(super) fn entry_mut(&mut self, virq: u32) -> Result<&mut Entry, DomainError> {
        self.entries
            .get_mut(virq as usize)
            .ok_or(stale("interrupt"))
    }

    /// Makes what was done to a domain's slots effective.
    pub(super) fn commit(&mut self, key: DomainKey) -> Result<u32, DomainError> {
        let domain = self.domains.get_mut(key).ok_or(stale("domain"))?;
        Ok(domain.backing.commit(&self.grace, &mut self.raiser)?)
    }
}

fn number(at: usize) -> Result<u16, DomainError> {
    u16::try_from(at).map_err(|_| DomainError::Size {
        asked: u32::MAX,
        limit: 1 << 16,
    })
}
