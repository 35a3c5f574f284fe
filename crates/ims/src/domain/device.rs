// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Devices and their domains, side by side.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::backing::{Backed, Backing};
use super::entry::{Interrupt, LIVE};
use super::error::{DomainError, stale};
use super::group::Groups;
use super::hierarchy::{DeviceKey, DomainKey, Hierarchy, UnitId};
use super::index::IndexPool;
use super::port::Port;
use super::record::Counts;
use crate::message::{Addressing, RequesterId};
use crate::remap::{EntryMemory, Invalidate};
use crate::sink::MessageSink;
use crate::store::Store;

/// Names a device of a [`Hierarchy`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeviceId(DeviceKey);

/// Names a domain of a [`Hierarchy`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DomainId(pub(super) DomainKey);

/// What a domain's indices number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Vectors of the MSI-X capability: 1 to 2048 (PCI 7.7.2).
    MsiX,
    /// Slots of an interrupt message store: as many as the store has.
    Ims,
}

/// The most vectors an MSI-X capability can have (PCI 7.7.2.2, table size).
pub const MSIX_VECTORS: u32 = 2048;

/// How a domain's messages find a CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Path {
    /// Through entries of a remap unit. The rule for IMS.
    Remapped(UnitId),
    /// By themselves: each slot names its CPU. Nothing checks who sends them,
    /// and a move rewrites the slot.
    Unmapped(Addressing),
}

/// What a domain is to be.
#[derive(Debug, Clone, Copy)]
pub struct DomainConfig {
    /// What its indices number.
    pub kind: Kind,
    /// How many there are; 0 is as many as the store can have.
    pub hwsize: u32,
    /// How its messages find a CPU.
    pub path: Path,
}

/// A device: who it is on its bus, and its domains, side by side.
pub(super) struct Device {
    requester: RequesterId,
    domains: Vec<(Kind, DomainKey)>,
}

/// One domain: an index space, and the slots behind it.
pub(super) struct Domain {
    pub(super) requester: RequesterId,
    pub(super) path: Path,
    pub(super) indices: IndexPool,
    /// The interrupt at each index: 0 is none, anything else a virq plus one.
    pub(super) by_index: Vec<u32>,
    pub(super) groups: Groups,
    pub(super) backing: Box<dyn Backing>,
    /// What happened to interrupts that have been freed since.
    pub(super) past: Counts,
    /// The device is gone; the domain goes with its last interrupt.
    pub(super) closing: bool,
}

impl Domain {
    /// Its interrupts, freed ones that have not settled included.
    fn interrupts(&self) -> Vec<u32> {
        self.by_index
            .iter()
            .filter_map(|number| number.checked_sub(1))
            .collect()
    }

    pub(super) fn set_at(&mut self, index: u32, virq: Option<u32>) {
        let at = index as usize;
        if self.by_index.len() <= at {
            // An eighth at a time: doubling would cost more than the indices do.
            let more = at + 1 - self.by_index.len();
            self.by_index
                .reserve_exact(more.max(self.by_index.len() / 8));
            self.by_index.resize(at + 1, 0);
        }
        if let Some(number) = self.by_index.get_mut(at) {
            *number = virq.map_or(0, |virq| virq + 1);
        }
    }
}

/// What went with a domain or a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Removed {
    /// Interrupts freed.
    pub freed: u32,
    /// Of those, how many were kept pending, which is dropped.
    pub dropped: u32,
}

impl<M: EntryMemory, I: Invalidate> Hierarchy<M, I> {
    /// Adds a device that sends as `requester`.
    pub fn add_device(&mut self, requester: RequesterId) -> DeviceId {
        DeviceId(self.devices.insert(Device {
            requester,
            domains: Vec::new(),
        }))
    }

    /// Gives a device a domain: slots in `store`, whose messages go to `sink`.
    ///
    /// A device has at most one MSI-X domain; it may have several IMS domains,
    /// one store for each interface. For [`Path::Remapped`] the sink is the
    /// unit's own data half ([`crate::remap::Control::unit`]).
    ///
    /// # Errors
    /// [`DomainError::Stale`], [`DomainError::KindTaken`], [`DomainError::Size`].
    pub fn add_domain<S, K>(
        &mut self,
        device: DeviceId,
        config: DomainConfig,
        store: S,
        sink: K,
    ) -> Result<(DomainId, Port<S::Slots, K>), DomainError>
    where
        S: Store,
        K: MessageSink + Clone + Send + 'static,
    {
        if let Path::Remapped(UnitId(unit)) = config.path
            && usize::from(unit) >= self.units.len()
        {
            return Err(stale("remap unit"));
        }
        let owner = self.devices.get_mut(device.0).ok_or(stale("device"))?;
        if config.kind == Kind::MsiX && owner.domains.iter().any(|(kind, _)| *kind == Kind::MsiX) {
            return Err(DomainError::KindTaken);
        }
        let limit = match config.kind {
            Kind::MsiX => store.limit().min(MSIX_VECTORS),
            Kind::Ims => store.limit(),
        };
        let size = if config.hwsize == 0 {
            limit
        } else {
            config.hwsize
        };
        if size == 0 || size > limit {
            return Err(DomainError::Size {
                asked: config.hwsize,
                limit,
            });
        }
        let port = Port::new(store.slots(), sink, owner.requester);
        let domain = self.domains.insert(Domain {
            requester: owner.requester,
            path: config.path,
            indices: IndexPool::new(size),
            by_index: Vec::new(),
            groups: Groups::default(),
            backing: Box::new(Backed::new(store, port.clone())),
            past: Counts::default(),
            closing: false,
        });
        owner.domains.push((config.kind, domain));
        Ok((DomainId(domain), port))
    }

    /// Frees every interrupt of a domain and removes it. What is on its way
    /// settles later.
    ///
    /// # Errors
    /// [`DomainError::Stale`]; [`DomainError::Store`] if the store could not
    /// clear a slot: the domain then stays, with what was not yet freed.
    pub fn remove_domain(&mut self, domain: DomainId) -> Result<Removed, DomainError> {
        if self
            .domains
            .get(domain.0)
            .is_none_or(|domain| domain.closing)
        {
            return Err(stale("domain"));
        }
        let mut removed = Removed::default();
        let members = self.domain_mut(domain.0)?.interrupts();
        for virq in members {
            if let Some(entry) = self
                .entries
                .get(virq as usize)
                .filter(|entry| entry.is(LIVE))
            {
                let token = Interrupt {
                    virq,
                    generation: entry.generation,
                };
                removed.dropped += u32::from(self.free(token)?.dropped);
                removed.freed += 1;
            }
        }
        if let Some(domain) = self.domains.get_mut(domain.0) {
            domain.closing = true;
        }
        for device in self.devices.values_mut() {
            device.domains.retain(|(_, key)| *key != domain.0);
        }
        self.remove_if_empty(domain.0);
        Ok(removed)
    }

    /// Removes a device with its domains and all their interrupts.
    ///
    /// # Errors
    /// As for [`Hierarchy::remove_domain`]; the device stays with what is left.
    pub fn remove_device(&mut self, device: DeviceId) -> Result<Removed, DomainError> {
        let domains: Vec<_> = self
            .devices
            .get(device.0)
            .ok_or(stale("device"))?
            .domains
            .iter()
            .map(|(_, domain)| *domain)
            .collect();
        let mut removed = Removed::default();
        for domain in domains {
            let part = self.remove_domain(DomainId(domain))?;
            removed.freed += part.freed;
            removed.dropped += part.dropped;
        }
        self.devices.remove(device.0);
        Ok(removed)
    }

    pub(super) fn remove_if_empty(&mut self, key: DomainKey) {
        if self
            .domains
            .get(key)
            .is_some_and(|domain| domain.closing && domain.indices.taken() == 0)
        {
            self.domains.remove(key);
        }
    }
}
