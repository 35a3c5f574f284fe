// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A host to measure: remap units, a posted vector space, and a device with an
//! IMS domain a unit.

use super::super::{Outcome, memory};
use ims::domain::{
    Cpus, DomainConfig, DomainId, Hierarchy, Interrupt, Kind, Path, Port, Reach, Request, SpaceId,
};
use ims::message::{DeliveryMode, Destination, RequesterId};
use ims::posted::{Descriptor, Descriptors, Notification};
use ims::remap::{Control, Modes, NoInvalidate, PairTable, Unit};
use ims::sink::{Acceptance, Answer, CpuSink};
use ims::store::table::Table;
use ims::store::{CookieUse, Store};
use ims::vector::{CpuId, Matrix};
use std::sync::Arc;

/// Entries of a remap unit: what VT-d gives a table at most.
pub(super) const UNIT: u32 = 65_536;

/// The descriptors of all CPUs, each at 64 times its CPU's number.
#[derive(Debug)]
pub(super) struct Fleet {
    descriptors: Box<[Descriptor]>,
}

/// Takes notifications. The CPUs here look by themselves; none is asleep.
#[derive(Debug, Clone, Copy)]
pub(super) struct Awake;

/// What the slots of the device send to.
pub(super) type Sink = Unit<PairTable, Awake, Arc<Fleet>>;

/// The host.
pub(super) struct Host<S: Store = Table> {
    pub(super) hierarchy: Hierarchy,
    pub(super) fleet: Arc<Fleet>,
    pub(super) space: SpaceId,
    /// One a unit.
    pub(super) domains: Vec<(DomainId, Port<S::Slots, Sink>)>,
    /// Every interrupt, active: number `n` is in domain `n / UNIT`.
    pub(super) interrupts: Vec<Interrupt>,
    /// What all of it takes but `interrupts`, which is the measurement's own.
    pub(super) bytes: usize,
}

impl Fleet {
    fn new(cpus: u32) -> Self {
        let descriptor = |destination| {
            let descriptor = Descriptor::new(Notification {
                destination,
                vector: 0xf2,
            });
            descriptor.suppress();
            descriptor
        };
        Self {
            descriptors: (0..cpus).map(descriptor).collect(),
        }
    }

    pub(super) fn of(&self, CpuId(cpu): CpuId) -> Option<&Descriptor> {
        self.descriptors.get(cpu as usize)
    }

    /// Takes what is pending everywhere; says how many interrupts that were.
    pub(super) fn harvest(&self) -> u64 {
        self.descriptors
            .iter()
            .map(|descriptor| u64::from(descriptor.harvest().len()))
            .sum()
    }
}

impl Descriptors for Fleet {
    #[inline]
    fn descriptor(&self, address: u64) -> Option<&Descriptor> {
        self.descriptors.get(usize::try_from(address / 64).ok()?)
    }
}

impl Cpus for Fleet {
    fn reach(&self, CpuId(cpu): CpuId) -> Option<Reach> {
        Some(Reach::Posted {
            descriptor: u64::from(cpu) * 64,
        })
    }

    fn is_quiet(&self, cpu: CpuId, vector: u8) -> bool {
        self.of(cpu)
            .is_none_or(|descriptor| !descriptor.is_pending(vector))
    }
}

impl CpuSink for Awake {
    #[inline]
    fn deliver(&self, _destination: Destination, _vector: u8, _mode: DeliveryMode) -> Answer {
        Answer::Accepted(Acceptance::HandedOver)
    }
}

/// A store of a table of its own.
pub(super) fn table(limit: u32) -> Table {
    Table::new(limit, CookieUse::Opaque)
}

impl<S: Store> Host<S> {
    /// A host with `count` active interrupts on `cpus` CPUs, and room for `more`.
    pub(super) fn new(count: u32, more: u32, cpus: u32, store: impl Fn(u32) -> S) -> Outcome<Self> {
        let mut interrupts = Vec::with_capacity(count as usize);
        let before = memory::live();
        let fleet = Arc::new(Fleet::new(cpus));
        let mut matrix = Matrix::new(cpus);
        for cpu in 0..cpus {
            matrix.online(CpuId(cpu))?;
        }
        let mut hierarchy = Hierarchy::new();
        let space = hierarchy.add_space(matrix, fleet.clone())?;
        let device = hierarchy.add_device(RequesterId(0x0100));
        let mut domains = Vec::new();
        for _ in 0..(count + more).div_ceil(UNIT) {
            let table = PairTable::new(UNIT);
            let unit = Control::new(table, Modes::x2apic(UNIT), 0, NoInvalidate)?;
            let sink = unit.unit(Awake, fleet.clone());
            let config = DomainConfig {
                kind: Kind::Ims,
                hwsize: 0,
                path: Path::Remapped(hierarchy.add_unit(unit)?),
            };
            domains.push(hierarchy.add_domain(device, config, store(UNIT), sink)?);
        }
        let mut host = Self {
            hierarchy,
            fleet,
            space,
            domains,
            interrupts: Vec::new(),
            bytes: 0,
        };
        let request = Request::new(space);
        for number in 0..count {
            interrupts.push(host.add(number, &request)?);
        }
        host.bytes = memory::live() - before;
        host.interrupts = interrupts;
        Ok(host)
    }

    /// Allocates and activates one more in the domain of interrupt `number`.
    #[inline]
    pub(super) fn add(&mut self, number: u32, request: &Request) -> Outcome<Interrupt> {
        let (domain, _) = self
            .domains
            .get((number / UNIT) as usize)
            .ok_or("no such domain")?;
        let token = self.hierarchy.alloc(*domain, request)?;
        self.hierarchy.activate(token)?;
        Ok(token)
    }

    /// The port of the domain that has interrupt `number`.
    pub(super) fn port(&self, number: u32) -> Outcome<&Port<S::Slots, Sink>> {
        let domain = self.domains.get((number / UNIT) as usize);
        Ok(&domain.ok_or("no such domain")?.1)
    }
}
