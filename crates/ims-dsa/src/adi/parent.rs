// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The physical device that the host owns.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use ims::domain::{Counts, Kind, Request};
use ims::grace::Raiser;
use ims::store::table::Table;
use ims::store::{CookieUse, Pasid, Store};
use ims_host::{CpuReport, Domain, Form, Host, HostSink, Space};
use ims_vfio::irqs::HostBacking;

use super::config::{AdiConfig, ParentConfig};
use super::device::VirtualDevice;
use super::error::{ComposeError, ParentError};
use super::pasids::{PASIDS, Pasids};
use crate::config::DeviceConfig;
use crate::device::Device;
use crate::errors::{ErrorLog, SoftwareError};
use crate::statistics::Statistics;
use crate::store_interrupts::StoreInterrupts;

/// Fault records of the remap unit.
const FAULT_RECORDS: u16 = 64;

type Slots = <Table as Store>::Slots;
type Raisers = Box<dyn Fn() -> Raiser + Send + Sync>;
type Engines = Device<StoreInterrupts<Slots, Slots, HostSink, Raisers>>;

/// The physical device that the host owns: engines, an Interrupt Message Store,
/// and the CPUs that take its interrupts. A clone is the same.
///
/// Its threads are its engines and CPUs, however many interfaces it has. They end
/// when the last clone and the last virtual device are gone.
///
/// # Concurrency
/// All methods on any thread; none waits.
#[derive(Clone)]
pub struct Parent {
    inner: Arc<Inner>,
}

/// What a parent's interfaces share.
pub(super) struct Inner {
    config: ParentConfig,
    // Before what they raise in.
    pub(super) engines: Engines,
    domain: Domain<Table>,
    space: Space,
    host: Host,
    // After its domain: dropping it frees what is left there.
    _device: ims_host::Device,
    interfaces: Mutex<Interfaces>,
}

/// Who has which PASID.
#[derive(Default)]
struct Interfaces {
    pasids: Pasids,
    live: BTreeMap<u32, Weak<VirtualDevice>>,
}

/// How much of a parent is in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    /// Interfaces that were composed and not destroyed.
    pub interfaces: u32,
    /// Entries of the store in use, those included that were given back and are
    /// not quiet yet.
    pub ims_used: u32,
    /// Entries there are.
    pub ims_entries: u32,
    /// What the engines did.
    pub engines: Statistics,
    /// What the CPUs did.
    pub cpus: Vec<CpuReport>,
    /// What happened to interrupts that were given back.
    pub past: Counts,
}

impl fmt::Debug for Parent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parent")
            .field("config", &self.inner.config)
            .finish_non_exhaustive()
    }
}

/// Errors of descriptors that belong to no queue: there are none, for every queue
/// has a log of its own.
struct NobodysErrors;

impl ErrorLog for NobodysErrors {
    fn report(&self, error: SoftwareError) {
        tracing::warn!(?error, "an error of no interface");
    }
}

impl Parent {
    /// Makes a physical device; its engines and CPUs run.
    ///
    /// # Errors
    /// [`ParentError`]; no thread is left then.
    pub fn new(config: ParentConfig) -> Result<Self, ParentError> {
        config.check()?;
        let entries = config.ims_entries;
        let host = Host::new();
        let unit = host.add_unit(entries, FAULT_RECORDS)?;
        let space = host.add_space(config.cpus(), Form::Apic)?;
        let device = host.add_device(config.requester);
        let store = Table::new(entries, CookieUse::Pasid);
        let domain = device.add_domain(Kind::Ims, entries, &unit, store)?;
        let raisers: Raisers = {
            let host = host.clone();
            Box::new(move || host.raiser())
        };
        let interrupts = StoreInterrupts::new(domain.port().clone(), None, raisers);
        let shape = DeviceConfig {
            engines: vec![Some(0); config.engines.into()],
            ..DeviceConfig::default()
        };
        let mut engines = Device::new(&shape, Arc::new(interrupts), Arc::new(NobodysErrors))?;
        engines.start()?;
        Ok(Self {
            inner: Arc::new(Inner {
                config,
                engines,
                domain,
                space,
                host,
                _device: device,
                interfaces: Mutex::default(),
            }),
        })
    }

    /// Composes a virtual device. It takes a PASID; its queue is made as its guest
    /// enables it, and its interrupts are taken as its client gives triggers, so
    /// there may be many more interfaces than the store has entries. One that
    /// comes too late is refused by `SET_IRQS` (`ENOSPC`).
    ///
    /// # Errors
    /// [`ComposeError`]; nothing is taken then.
    pub fn compose(&self, config: AdiConfig) -> Result<Arc<VirtualDevice>, ComposeError> {
        config.check()?;
        let asked = u32::from(config.vectors).saturating_sub(1);
        let entries = self.inner.config.ims_entries;
        if asked > entries {
            return Err(ComposeError::Vectors { asked, entries });
        }
        let pasid = self
            .inner
            .interfaces()
            .pasids
            .take()
            .ok_or(ComposeError::NoPasid(PASIDS))?;
        let device = VirtualDevice::new(Arc::clone(&self.inner), pasid, config);
        let mut interfaces = self.inner.interfaces();
        match device {
            Ok(device) => {
                let device = Arc::new(device);
                interfaces.live.insert(pasid.get(), Arc::downgrade(&device));
                Ok(device)
            }
            Err(error) => {
                interfaces.pasids.give_back(pasid);
                Err(error)
            }
        }
    }

    /// The interfaces that were composed and not destroyed, by PASID.
    pub fn list(&self) -> Vec<Arc<VirtualDevice>> {
        let interfaces = self.inner.interfaces();
        // Dropped after the lock: the last clone of one destroys it.
        let live: Vec<_> = interfaces.live.values().filter_map(Weak::upgrade).collect();
        drop(interfaces);
        live
    }

    /// The interface of a PASID.
    pub fn get(&self, pasid: Pasid) -> Option<Arc<VirtualDevice>> {
        let interfaces = self.inner.interfaces();
        interfaces.live.get(&pasid.get())?.upgrade()
    }

    /// What it was asked to be.
    pub fn config(&self) -> &ParentConfig {
        &self.inner.config
    }

    /// How much of it is in use.
    pub fn usage(&self) -> Usage {
        let inner = &self.inner;
        inner.host.settle();
        let interfaces = inner.interfaces().live.len();
        Usage {
            interfaces: u32::try_from(interfaces).unwrap_or(u32::MAX),
            ims_used: inner.host.interrupts(),
            ims_entries: inner.config.ims_entries,
            engines: inner.engines.statistics(),
            cpus: inner.host.cpu_reports(inner.space),
            past: inner.domain.past_counts(),
        }
    }
}

impl Inner {
    fn interfaces(&self) -> MutexGuard<'_, Interfaces> {
        self.interfaces
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn config(&self) -> &ParentConfig {
        &self.config
    }

    /// Interrupts of the host that only `pasid` may name.
    pub(super) fn backing(&self, pasid: Pasid) -> HostBacking<Table> {
        let request = Request::new(self.space.id).cookie(pasid);
        HostBacking::new(self.domain.clone(), request)
    }

    /// An interface is being destroyed: it is listed no more.
    pub(super) fn forget(&self, pasid: Pasid) {
        self.interfaces().live.remove(&pasid.get());
    }

    /// Nothing of `pasid` is on its way any more.
    pub(super) fn give_back(&self, pasid: Pasid) {
        self.interfaces().pasids.give_back(pasid);
    }
}
