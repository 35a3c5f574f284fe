// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The host: its CPUs, its remap units, and the lock around the control half.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use ims::domain::{Evacuated, Hierarchy, SpaceId, UnitId, Virq};
use ims::message::{Addressing, Message, RequesterId};
use ims::remap::{self, Control as UnitControl, Modes, NoInvalidate, PairTable};
use ims::sink::{Answer, MessageSink, Unmapped};
use ims::vector::CpuId;

use crate::cpu::HostCpus;
use crate::device::Device;
use crate::error::HostError;
use crate::handler::Handlers;
use crate::space::{KnownSpace, Space};

/// The data half of a host's remap unit.
pub type HostUnit = remap::Unit<PairTable, Arc<HostCpus>, Arc<HostCpus>>;

/// A remap unit of a host.
#[derive(Clone)]
pub struct Unit {
    /// The unit, as the core names it.
    pub id: UnitId,
    pub(crate) data: HostUnit,
}

impl Unit {
    /// Its data half: sends messages, counts faults. Who sends by it while
    /// interrupts are moved or freed is inside a flight ([`Host::fly`]);
    /// [`Host::sink`] sees to that itself.
    pub fn data(&self) -> &HostUnit {
        &self.data
    }
}

/// Where a host's devices send their messages.
#[derive(Clone)]
pub enum HostSink {
    /// To a remap unit.
    Remapped(HostUnit),
    /// Straight to the CPUs they name.
    Unmapped(Unmapped<Arc<HostCpus>>),
}

impl MessageSink for HostSink {
    #[inline]
    fn send(&self, requester: RequesterId, message: Message) -> Answer {
        match self {
            Self::Remapped(unit) => unit.send(requester, message),
            Self::Unmapped(cpus) => cpus.send(requester, message),
        }
    }

    fn ready(&self, requester: RequesterId, message: Message) -> bool {
        match self {
            Self::Remapped(unit) => unit.ready(requester, message),
            Self::Unmapped(cpus) => cpus.ready(requester, message),
        }
    }
}

/// What the lock protects.
pub(crate) struct Control {
    pub(crate) hierarchy: Hierarchy,
    pub(crate) spaces: Vec<KnownSpace>,
    pub(crate) next_cpu: u32,
    /// How often handlers were called that have been removed since.
    pub(crate) past_taken: u64,
}

pub(crate) struct Inner {
    control: Mutex<Control>,
    pub(crate) cpus: Arc<HostCpus>,
    pub(crate) handlers: Arc<Handlers>,
}

/// A process as host. A clone is the same host; its CPUs stop with the last.
#[derive(Clone)]
pub struct Host {
    pub(crate) inner: Arc<Inner>,
}

impl Default for Host {
    fn default() -> Self {
        Self::new()
    }
}

impl Inner {
    pub(crate) fn control(&self) -> MutexGuard<'_, Control> {
        // A panic inside leaves the hierarchy as its last whole step left it.
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes the handlers of interrupts that are over.
    pub(crate) fn forget_released(&self, control: &mut Control) {
        for virq in control.hierarchy.take_released() {
            control.past_taken += self.handlers.remove(virq);
        }
    }
}

impl Host {
    /// A host without CPUs, units or devices.
    pub fn new() -> Self {
        let control = Control {
            hierarchy: Hierarchy::new(),
            spaces: Vec::new(),
            next_cpu: 0,
            past_taken: 0,
        };
        Self {
            inner: Arc::new(Inner {
                control: Mutex::new(control),
                cpus: Arc::default(),
                handlers: Arc::default(),
            }),
        }
    }

    /// Adds a remap unit of at least `entries` entries, which blocks
    /// compatibility format, with `records` fault records (1 to 256).
    ///
    /// # Errors
    /// [`HostError::Unit`], [`HostError::Domain`].
    pub fn add_unit(&self, entries: u32, records: u16) -> Result<Unit, HostError> {
        let modes = Modes::x2apic(entries);
        let last_record = u8::try_from(records.saturating_sub(1)).unwrap_or(u8::MAX);
        let table = PairTable::new(modes.entries());
        let control = UnitControl::new(table, modes, last_record, NoInvalidate)?;
        let data = control.unit(Arc::clone(&self.inner.cpus), Arc::clone(&self.inner.cpus));
        let id = self.inner.control().hierarchy.add_unit(control)?;
        Ok(Unit { id, data })
    }

    /// Adds a device that sends as `requester`.
    pub fn add_device(&self, requester: RequesterId) -> Device {
        let id = self.inner.control().hierarchy.add_device(requester);
        Device::new(self.clone(), id)
    }

    /// Where unmapped messages go.
    pub(crate) fn unmapped(&self, addressing: Addressing) -> HostSink {
        HostSink::Unmapped(Unmapped {
            cpus: Arc::clone(&self.inner.cpus),
            addressing,
        })
    }

    /// Takes a CPU offline: its interrupts go to others, or are shut down if they
    /// are managed and it was their last. Returns when it has handled what was on
    /// its way to it.
    ///
    /// # Errors
    /// [`HostError::Domain`] if the others have no room or something is still
    /// moving; the CPU is online then.
    pub fn cpu_offline(&self, space: SpaceId, cpu: CpuId) -> Result<Evacuated, HostError> {
        let evacuated = self.inner.control().hierarchy.cpu_offline(space, cpu)?;
        self.quiesce(Duration::from_secs(10))?;
        Ok(evacuated)
    }

    /// Brings a CPU online; says how many managed interrupts started again.
    ///
    /// # Errors
    /// [`HostError::Domain`] if it is online.
    pub fn cpu_online(&self, space: SpaceId, cpu: CpuId) -> Result<u32, HostError> {
        Ok(self.inner.control().hierarchy.cpu_online(space, cpu)?)
    }

    /// Gives back what was freed or moved away from and has become quiet; returns
    /// how much has not.
    pub fn settle(&self) -> usize {
        let mut control = self.inner.control();
        let left = control.hierarchy.settle();
        self.inner.forget_released(&mut control);
        left
    }

    /// Settles until nothing is left. Not for handlers: it waits for them.
    ///
    /// # Errors
    /// [`HostError::NotQuiet`] after `limit`.
    pub fn quiesce(&self, limit: Duration) -> Result<(), HostError> {
        let start = Instant::now();
        loop {
            let left = self.settle();
            if left == 0 {
                return Ok(());
            }
            if start.elapsed() > limit {
                return Err(HostError::NotQuiet { left });
            }
            thread::sleep(Duration::from_micros(50));
        }
    }

    /// How often all handlers were called, removed ones included.
    pub fn past_taken(&self) -> u64 {
        self.inner.control().past_taken
    }

    /// How often the handler of a number was called since it was registered.
    pub fn taken(&self, virq: Virq) -> u64 {
        self.inner.handlers.taken(virq)
    }

    /// How many interrupts are allocated, or freed and not yet settled.
    pub fn interrupts(&self) -> u32 {
        self.inner.control().hierarchy.interrupts()
    }

    /// The spaces, in the order they were added.
    pub fn spaces(&self) -> Vec<Space> {
        self.inner
            .control()
            .spaces
            .iter()
            .map(|known| known.space)
            .collect()
    }
}
