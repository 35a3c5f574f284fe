// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The host-side interrupts of a device: entries of an interrupt message store.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ims::domain::{Affinity, Request};
use ims::store::{Pasid, Store};
use ims::vector::CpuId;
use ims_host::{Domain, Handler, Host, HostError, Irq, IrqCounts, Space};

/// How long a start waits at most for entries that were given back and are not quiet
/// yet: until their CPU has run, if there are no others left.
const QUIET: Duration = Duration::from_secs(1);

/// Where a device takes an entry for each of its queues: queue n on CPU n modulo
/// their number. A clone is the same place; many devices may share one.
///
/// # Concurrency
/// All methods on any thread.
#[derive(Clone)]
pub struct BackingInterrupts(Arc<dyn Source>);

impl fmt::Debug for BackingInterrupts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackingInterrupts").finish_non_exhaustive()
    }
}

impl BackingInterrupts {
    /// Entries of `domain`, taken by the CPUs of `space`. With a PASID, only the
    /// device may name them.
    ///
    /// The domain needs an entry for each queue of each device that runs. With some
    /// to spare, a start does not wait for those of the stop before it.
    ///
    /// ```
    /// use ims::domain::Kind;
    /// use ims::message::RequesterId;
    /// use ims::store::{CookieUse, table::Table};
    /// use ims_host::{Form, Host};
    /// use ims_virtio::BackingInterrupts;
    ///
    /// # fn main() -> Result<(), ims_host::HostError> {
    /// let host = Host::new();
    /// let unit = host.add_unit(256, 8)?;
    /// let cpus = host.add_space(2, Form::Apic)?;
    /// // To be kept as long as its interrupts are used.
    /// let device = host.add_device(RequesterId(0x0100));
    /// let table = Table::new(256, CookieUse::Opaque);
    /// let domain = device.add_domain(Kind::Ims, 0, &unit, table)?;
    /// let interrupts = BackingInterrupts::new(&host, domain, cpus, None);
    /// # let _ = interrupts;
    /// # Ok(())
    /// # }
    /// ```
    pub fn new<S: Store>(
        host: &Host,
        domain: Domain<S>,
        space: Space,
        pasid: Option<Pasid>,
    ) -> Self {
        Self(Arc::new(Entries {
            host: host.clone(),
            domain,
            space,
            pasid,
        }))
    }

    /// Takes an entry for `queue`.
    pub(crate) fn take(
        &self,
        queue: u16,
        handler: Arc<Box<dyn Handler>>,
    ) -> Result<Irq, HostError> {
        self.0.take(queue, handler)
    }

    /// What raises.
    pub(crate) fn raise(&self, index: u32) {
        self.0.raise(index);
    }

    pub(crate) fn counts(&self, irq: &Irq) -> IrqCounts {
        self.0.counts(irq)
    }
}

/// A domain, whatever its store is.
trait Source: Send + Sync {
    fn take(&self, queue: u16, handler: Arc<Box<dyn Handler>>) -> Result<Irq, HostError>;
    fn raise(&self, index: u32);
    fn counts(&self, irq: &Irq) -> IrqCounts;
}

struct Entries<S: Store> {
    host: Host,
    domain: Domain<S>,
    space: Space,
    pasid: Option<Pasid>,
}

impl<S: Store> Source for Entries<S> {
    fn take(&self, queue: u16, handler: Arc<Box<dyn Handler>>) -> Result<Irq, HostError> {
        let cpu = u32::from(queue) % self.space.cpus.max(1);
        let mut request = Request::new(self.space.id).affinity(Affinity::Cpu(CpuId(cpu)));
        if let Some(pasid) = self.pasid {
            request = request.cookie(pasid);
        }
        self.host.settle();
        let taken = self.domain.alloc_shared(&request, Arc::clone(&handler));
        if taken.is_ok() {
            return taken;
        }
        // What a stop gave back may be on its way out of its handler.
        let _ = self.host.quiesce(QUIET);
        self.domain.alloc_shared(&request, handler)
    }

    fn raise(&self, index: u32) {
        // What became of it is in the entry's counts.
        let _ = self
            .host
            .fly(|flight| self.domain.port().raise(flight, 0, index, self.pasid));
    }

    fn counts(&self, irq: &Irq) -> IrqCounts {
        self.domain.counts(irq)
    }
}
