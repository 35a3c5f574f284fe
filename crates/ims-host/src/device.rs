// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Devices and their domains, as handles.

use std::sync::Arc;

use ims::domain::{Counts, DeviceId, DomainConfig, DomainId, Kind, Path, Port, Request};
use ims::message::Addressing;
use ims::store::Store;

use crate::error::HostError;
use crate::handler::Handler;
use crate::host::{Host, HostSink, Unit};
use crate::irq::Irq;

/// A device. Dropping it frees everything it has, in every room.
pub struct Device {
    host: Host,
    id: DeviceId,
}

/// A domain of a device: allocates its interrupts, and has the port to raise them.
///
/// It goes with its device; what it has allocated is freed by then.
pub struct Domain<S: Store> {
    host: Host,
    id: DomainId,
    port: Port<S::Slots, HostSink>,
}

impl<S: Store> Clone for Domain<S> {
    fn clone(&self) -> Self {
        Self {
            host: self.host.clone(),
            id: self.id,
            port: self.port.clone(),
        }
    }
}

impl Device {
    pub(crate) fn new(host: Host, id: DeviceId) -> Self {
        Self { host, id }
    }

    /// Gives the device a domain whose messages go through `unit`.
    ///
    /// `hwsize` 0 is as many slots as the store can have.
    ///
    /// # Errors
    /// [`HostError::Domain`].
    pub fn add_domain<S: Store>(
        &self,
        kind: Kind,
        hwsize: u32,
        unit: &Unit,
        store: S,
    ) -> Result<Domain<S>, HostError> {
        let config = DomainConfig {
            kind,
            hwsize,
            path: Path::Remapped(unit.id),
        };
        self.add(config, store, HostSink::Remapped(unit.data.clone()))
    }

    /// Gives the device a domain whose messages nobody checks: each slot names
    /// its CPU, and a move rewrites it. Not for stores that anybody shares.
    ///
    /// # Errors
    /// [`HostError::Domain`].
    pub fn add_unmapped_domain<S: Store>(
        &self,
        kind: Kind,
        hwsize: u32,
        addressing: Addressing,
        store: S,
    ) -> Result<Domain<S>, HostError> {
        let config = DomainConfig {
            kind,
            hwsize,
            path: Path::Unmapped(addressing),
        };
        self.add(config, store, self.host.unmapped(addressing))
    }

    fn add<S: Store>(
        &self,
        config: DomainConfig,
        store: S,
        sink: HostSink,
    ) -> Result<Domain<S>, HostError> {
        let mut control = self.host.inner.control();
        let (id, port) = control.hierarchy.add_domain(self.id, config, store, sink)?;
        Ok(Domain {
            host: self.host.clone(),
            id,
            port,
        })
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        let mut control = self.host.inner.control();
        match control.hierarchy.remove_device(self.id) {
            Ok(removed) if removed.dropped > 0 => {
                tracing::warn!(
                    dropped = removed.dropped,
                    "device removed with interrupts pending"
                );
            }
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "device could not be removed"),
        }
        self.host.inner.forget_released(&mut control);
    }
}

impl<S: Store> Domain<S> {
    /// Allocates and activates an interrupt that `handler` handles.
    ///
    /// # Errors
    /// [`HostError::Domain`]; nothing is allocated then.
    pub fn alloc(
        &self,
        request: &Request,
        handler: impl Handler + 'static,
    ) -> Result<Irq, HostError> {
        self.alloc_shared(request, Arc::new(Box::new(handler)))
    }

    /// The same with a handler that several interrupts share.
    ///
    /// # Errors
    /// [`HostError::Domain`]; nothing is allocated then.
    pub fn alloc_shared(
        &self,
        request: &Request,
        handler: Arc<Box<dyn Handler>>,
    ) -> Result<Irq, HostError> {
        let mut control = self.host.inner.control();
        let token = control.hierarchy.alloc(self.id, request)?;
        // The number may be one that has just been given back.
        self.host.inner.forget_released(&mut control);
        self.host.inner.handlers.register(token.virq(), handler);
        if let Err(error) = control.hierarchy.activate(token) {
            let _ = control.hierarchy.free(token);
            return Err(error.into());
        }
        let index = control.hierarchy.location(token)?.index;
        Ok(Irq::new(self.host.clone(), token, index))
    }

    /// What the device raises with, from any thread.
    pub fn port(&self) -> &Port<S::Slots, HostSink> {
        &self.port
    }

    /// What happened to interrupts that have been freed and settled.
    pub fn past_counts(&self) -> Counts {
        self.host
            .inner
            .control()
            .hierarchy
            .past_counts(self.id)
            .unwrap_or_default()
    }

    /// What happened to one of its interrupts, with what its handler took.
    pub fn counts(&self, irq: &Irq) -> crate::irq::IrqCounts {
        crate::irq::IrqCounts {
            raiser: self.port.counts(irq.index()).unwrap_or_default(),
            taken: self.host.taken(irq.virq()),
        }
    }

    /// The domain, as the core names it.
    pub fn id(&self) -> DomainId {
        self.id
    }
}
