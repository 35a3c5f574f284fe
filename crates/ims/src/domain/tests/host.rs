// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A host: two vector spaces, a remap unit, and a sequential CPU that takes what
//! is pending and asks whose it is.

use super::machine::{Apics, Entries, Failing, GuestCpus, HostCpus, Machine, Watched};
use crate::domain::*;
use crate::grace::{Flight, Raiser};
use crate::message::{Addressing, RequesterId};
use crate::remap::{Control, Modes};
use crate::sink::MessageSink;
use crate::store::context::ContextMemory;
use crate::store::engines::{Engines, Spread};
use crate::store::table::Table;
use crate::store::{Contents, CookieUse, Pasid, Slots};
use crate::vector::{CpuId, Matrix};
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

pub(super) type Stack = Hierarchy<Arc<Entries>, Failing>;

/// How a domain keeps its slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Organisation {
    Table,
    Distributed,
    Replicated,
    Context,
}

pub(super) const ORGANISATIONS: [Organisation; 4] = [
    Organisation::Table,
    Organisation::Distributed,
    Organisation::Replicated,
    Organisation::Context,
];

/// Engines of a distributed or replicated store.
pub(super) const ENGINES: u32 = 3;

/// A port of any store.
pub(super) trait Raises: Send + Sync {
    fn raise(
        &self,
        flight: &Flight<'_>,
        engine: u32,
        index: u32,
        submitter: Option<Pasid>,
    ) -> Raised;
    fn counts(&self, index: u32) -> Option<Counts>;
    fn strays(&self) -> u64;
    fn is_pending(&self, index: u32) -> bool;
    fn retry(&self, flight: &Flight<'_>, index: u32);
    fn contents(&self, index: u32) -> Vec<Option<Contents>>;
}

impl<S: Slots, K: MessageSink + Send + Sync> Raises for Port<S, K> {
    fn raise(
        &self,
        flight: &Flight<'_>,
        engine: u32,
        index: u32,
        submitter: Option<Pasid>,
    ) -> Raised {
        Port::raise(self, flight, engine, index, submitter)
    }
    fn counts(&self, index: u32) -> Option<Counts> {
        Port::counts(self, index)
    }
    fn strays(&self) -> u64 {
        Port::strays(self)
    }
    fn is_pending(&self, index: u32) -> bool {
        Port::is_pending(self, index)
    }
    fn retry(&self, flight: &Flight<'_>, index: u32) {
        Port::retry(self, flight, index);
    }
    fn contents(&self, index: u32) -> Vec<Option<Contents>> {
        let copies = 0..self.slots().copies();
        copies
            .map(|engine| Some(self.slots().slot(index, engine)?.load()))
            .collect()
    }
}

/// A domain and what raises in it.
#[derive(Clone)]
pub(super) struct Side {
    pub(super) id: DomainId,
    pub(super) port: Arc<dyn Raises>,
}

/// What a host is made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) cpus: u32,
    /// Vectors of each CPU.
    pub(super) vectors: u16,
    /// Entries of the remap unit.
    pub(super) entries: u32,
}

pub(super) const ROOMY: Size = Size {
    cpus: 4,
    vectors: 200,
    entries: 4096,
};

pub(super) struct Host {
    pub(super) control: Stack,
    pub(super) machine: Arc<Machine>,
    pub(super) entries: Arc<Entries>,
    pub(super) unit: UnitId,
    pub(super) host: SpaceId,
    pub(super) guest: SpaceId,
    pub(super) raiser: Raiser,
    /// Fails the context commands of stores, when armed.
    pub(super) commands: Failing,
    /// Fails the invalidation of remap entries, when armed.
    pub(super) invalidations: Failing,
    /// The requester of the last message.
    pub(super) last: Arc<AtomicU32>,
    pub(super) remapped: Watched,
    pub(super) passing: Watched,
}

impl Host {
    /// A host all of whose CPUs are online.
    pub(super) fn new(size: Size) -> Self {
        let machine = Arc::new(Machine::new(size.cpus));
        let entries = Arc::new(Entries::new(size.entries));
        let (commands, invalidations) = (Failing::default(), Failing::default());
        let modes = Modes::x2apic(size.entries);
        let unit = Control::new(Arc::clone(&entries), modes, 3, invalidations.clone()).unwrap();
        // Remapping off: what names its CPU itself passes.
        let none = Arc::new(Entries::new(2));
        let passing = Control::new(none, Modes::new(), 3, Failing::default()).unwrap();
        let last = Arc::new(AtomicU32::new(u32::MAX));
        let watched = |unit: &Control<Arc<Entries>, Failing>| Watched {
            unit: unit.unit(Apics(Arc::clone(&machine)), Arc::clone(&machine)),
            last: Arc::clone(&last),
        };
        let (remapped, passing) = (watched(&unit), watched(&passing));
        let mut control = Stack::new();
        let unit = control.add_unit(unit).unwrap();
        let matrix = || {
            let mut matrix = Matrix::with_range(size.cpus, 0x20..0x20 + size.vectors).unwrap();
            (0..size.cpus).for_each(|cpu| matrix.online(CpuId(cpu)).unwrap());
            matrix
        };
        let host = control
            .add_space(matrix(), Arc::new(HostCpus(Arc::clone(&machine))))
            .unwrap();
        let guest = control
            .add_space(matrix(), Arc::new(GuestCpus(Arc::clone(&machine))))
            .unwrap();
        let raiser = control.raiser();
        Self {
            control,
            machine,
            entries,
            unit,
            host,
            guest,
            raiser,
            commands,
            invalidations,
            last,
            remapped,
            passing,
        }
    }

    pub(super) fn device(&mut self, requester: u16) -> DeviceId {
        self.control.add_device(RequesterId(requester))
    }

    /// Adds a domain whose store has as many slots as it.
    pub(super) fn domain(
        &mut self,
        device: DeviceId,
        (kind, size): (Kind, u32),
        remapped: bool,
        organisation: Organisation,
        cookies: CookieUse,
    ) -> Result<Side, DomainError> {
        let (path, sink) = if remapped {
            (Path::Remapped(self.unit), self.remapped.clone())
        } else {
            (Path::Unmapped(Addressing::Xapic), self.passing.clone())
        };
        let config = DomainConfig {
            kind,
            hwsize: size,
            path,
        };
        let control = &mut self.control;
        let engines = |spread| Engines::new(ENGINES, size, spread, cookies);
        Ok(match organisation {
            Organisation::Table => {
                side(control.add_domain(device, config, Table::new(size, cookies), sink)?)
            }
            Organisation::Distributed => {
                side(control.add_domain(device, config, engines(Spread::Distributed), sink)?)
            }
            Organisation::Replicated => {
                side(control.add_domain(device, config, engines(Spread::Replicated), sink)?)
            }
            Organisation::Context => {
                let commands = self.commands.clone();
                // Fewer lines than contexts, so that they meet.
                let store = ContextMemory::with_commands(4, size, cookies, commands);
                side(control.add_domain(device, config, store, sink)?)
            }
        })
    }

    /// A device with one remapped IMS domain over a table.
    pub(super) fn ims(&mut self, size: u32) -> Side {
        self.ims_in(size, true, Organisation::Table)
    }

    pub(super) fn ims_in(&mut self, size: u32, remapped: bool, organisation: Organisation) -> Side {
        let device = self.device(0x0100);
        let kind = (Kind::Ims, size);
        self.domain(device, kind, remapped, organisation, CookieUse::Opaque)
            .unwrap()
    }

    /// Allocates and activates.
    pub(super) fn start(&mut self, side: &Side, request: &Request) -> Interrupt {
        let token = self.control.alloc(side.id, request).unwrap();
        let _ = self.control.activate(token).unwrap();
        token
    }

    pub(super) fn raise(&mut self, side: &Side, index: u32) -> Raised {
        side.port.raise(&self.raiser.enter(), 0, index, None)
    }

    /// Where a running interrupt is.
    pub(super) fn target(&self, token: Interrupt) -> (CpuId, u8) {
        self.control.location(token).unwrap().target.unwrap()
    }

    pub(super) fn index(&self, token: Interrupt) -> u32 {
        self.control.location(token).unwrap().index
    }

    /// A CPU takes everything that is pending: vectors, and whose they are.
    pub(super) fn harvest(&self, space: SpaceId, cpu: u32) -> Vec<(u8, Option<Virq>)> {
        let bank = if space == self.host {
            &self.machine.host
        } else {
            &self.machine.guest
        };
        let dispatch = self.control.dispatch(space).unwrap();
        let pending = bank[cpu as usize].pending.harvest();
        pending
            .map(|vector| (vector, dispatch.virq(CpuId(cpu), vector)))
            .collect()
    }

    /// All CPUs of both spaces take everything.
    pub(super) fn harvest_all(&self) -> Vec<Virq> {
        let cpus = 0..u32::try_from(self.machine.host.len()).unwrap();
        let all = [self.host, self.guest].into_iter();
        all.flat_map(|space| cpus.clone().flat_map(move |cpu| self.harvest(space, cpu)))
            .map(|(_, virq)| virq.expect("a vector that is nobody's"))
            .collect()
    }

    /// Takes everything and settles: nothing may be left on its way.
    pub(super) fn quiesce(&mut self) -> Vec<Virq> {
        let taken = self.harvest_all();
        assert_eq!(self.control.settle(), 0);
        taken
    }

    /// Nothing is allocated in any room.
    pub(super) fn assert_empty(&self) {
        assert_eq!(self.control.interrupts(), 0);
        assert_eq!(self.control.unit(self.unit).unwrap().allocated(), 0);
        assert_eq!(self.control.affinities.used(), 0);
        assert!(self.control.shut.is_empty());
        for space in [self.host, self.guest] {
            let matrix = self.control.matrix(space).unwrap();
            matrix.check().unwrap();
            assert_eq!((matrix.total_allocated(), matrix.reserved()), (0, 0));
            let dispatch = self.control.dispatch(space).unwrap();
            for cpu in (0..matrix.cpus()).map(CpuId) {
                assert_eq!(matrix.cpu(cpu).unwrap().managed(), 0);
                assert_eq!(dispatch.of(cpu).count(), 0);
            }
        }
    }
}

fn side<S: Slots, K: MessageSink + Send + Sync + 'static>(
    (id, port): (DomainId, Port<S, K>),
) -> Side {
    Side {
        id,
        port: Arc::new(port),
    }
}
