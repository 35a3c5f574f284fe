// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Vectors backed by a domain of this process's own host.

use ims::domain::Request;
use ims::store::{Cookie, Store};
use ims::vector::CpuId;
use ims_host::{Domain, HostError, Irq, IrqCounts, Taken};
use rustix::io::Errno;

use super::backing::{Backed, Backing, BackingError, Signal};

/// Backs vectors by interrupts of a domain. Each is taken by a soft CPU, which
/// signals the vector's trigger.
pub struct HostBacking<S: Store> {
    domain: Domain<S>,
    request: Request,
}

impl<S: Store> HostBacking<S> {
    /// Interrupts of `domain`, each asked for as `request` says: its space, its
    /// affinity, and its cookie for vectors that have none of their own.
    pub fn new(domain: Domain<S>, request: Request) -> Self {
        Self { domain, request }
    }
}

/// One interrupt of the domain.
struct HostBacked<S: Store> {
    domain: Domain<S>,
    irq: Irq,
}

impl<S: Store> Backing for HostBacking<S> {
    fn alloc(
        &self,
        cookie: Option<Cookie>,
        signal: Signal,
    ) -> Result<Box<dyn Backed>, BackingError> {
        let mut request = self.request.clone();
        if let Some(cookie) = cookie {
            request.cookie = cookie;
        }
        let handler = move |_: Taken| {
            // One that comes when the trigger is gone has nobody to go to.
            let _ = signal.give();
        };
        let irq = self
            .domain
            .alloc(&request, handler)
            .map_err(|error| BackingError::new(errno(&error), error))?;
        Ok(Box::new(HostBacked {
            domain: self.domain.clone(),
            irq,
        }))
    }
}

impl<S: Store> Backed for HostBacked<S> {
    fn index(&self) -> u32 {
        self.irq.index()
    }

    fn is_pending(&self) -> bool {
        self.domain.port().is_pending(self.irq.index())
    }

    fn set_masked(&self, masked: bool) {
        let done = if masked {
            self.irq.mask()
        } else {
            self.irq.unmask()
        };
        if let Err(error) = done {
            let index = self.irq.index();
            tracing::debug!(index, %error, "the interrupt of a vector went before the vector");
        }
    }

    fn target(&self) -> Option<(CpuId, u8)> {
        self.irq.location().ok()?.target
    }

    fn counts(&self) -> IrqCounts {
        self.domain.counts(&self.irq)
    }

    fn free(self: Box<Self>) -> bool {
        let index = self.irq.index();
        match self.irq.free() {
            Ok(freed) => freed.dropped,
            Err(error) => {
                tracing::debug!(index, %error, "the interrupt of a vector went before the vector");
                false
            }
        }
    }
}

/// What a client is told when the host refuses.
fn errno(error: &HostError) -> Errno {
    match error {
        HostError::Domain(error) => Errno::from_raw_os_error(error.errno()),
        _ => Errno::IO,
    }
}
