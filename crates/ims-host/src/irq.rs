// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One interrupt, as a handle that frees it.

use ims::domain::{Affinity, Counts, Freed, Interrupt, Location, Moved, Virq};

use crate::error::HostError;
use crate::host::Host;

/// An allocated, active interrupt. Dropping it frees it.
pub struct Irq {
    host: Host,
    token: Interrupt,
    index: u32,
    freed: bool,
}

/// What happened to one interrupt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IrqCounts {
    /// What its raisers counted.
    pub raiser: Counts,
    /// How often its handler was called.
    pub taken: u64,
}

impl IrqCounts {
    /// Whether they add up, as they must when nothing is on its way.
    pub fn add_up(&self) -> bool {
        self.raiser.add_up(self.taken)
    }
}

impl Irq {
    pub(crate) fn new(host: Host, token: Interrupt, index: u32) -> Self {
        Self {
            host,
            token,
            index,
            freed: false,
        }
    }

    /// Its index in its domain: what the device raises it by.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// Its host-wide number.
    pub fn virq(&self) -> Virq {
        self.token.virq()
    }

    /// Where it is now.
    ///
    /// # Errors
    /// [`HostError::Domain`] if its device is gone.
    pub fn location(&self) -> Result<Location, HostError> {
        Ok(self.host.inner.control().hierarchy.location(self.token)?)
    }

    /// Masks it: raises are kept from when this returns.
    ///
    /// # Errors
    /// [`HostError::Domain`] if its device is gone, or its store refused.
    pub fn mask(&self) -> Result<(), HostError> {
        Ok(self.host.inner.control().hierarchy.mask(self.token)?)
    }

    /// Unmasks it, and delivers what was kept, once.
    ///
    /// # Errors
    /// As for [`Irq::mask`].
    pub fn unmask(&self) -> Result<(), HostError> {
        Ok(self.host.inner.control().hierarchy.unmask(self.token)?)
    }

    /// Moves it to a CPU of `affinity`, unless it is on one.
    ///
    /// # Errors
    /// [`HostError::Domain`].
    pub fn set_affinity(&self, affinity: &Affinity) -> Result<Moved, HostError> {
        Ok(self
            .host
            .inner
            .control()
            .hierarchy
            .set_affinity(self.token, affinity)?)
    }

    /// Frees it, and says whether something kept pending was dropped.
    ///
    /// # Errors
    /// [`HostError::Domain`]; the handle is used up all the same.
    pub fn free(mut self) -> Result<Freed, HostError> {
        self.free_once()
    }

    fn free_once(&mut self) -> Result<Freed, HostError> {
        self.freed = true;
        let mut control = self.host.inner.control();
        let freed = control.hierarchy.free(self.token)?;
        self.host.inner.forget_released(&mut control);
        Ok(freed)
    }
}

impl Drop for Irq {
    fn drop(&mut self) {
        if self.freed {
            return;
        }
        let virq = self.virq().0;
        match self.free_once() {
            Ok(Freed { dropped: true }) => {
                tracing::warn!(
                    virq,
                    index = self.index,
                    "interrupt freed while pending; dropped"
                );
            }
            // Its device went first, and took it along.
            Ok(_) | Err(HostError::Domain(ims::domain::DomainError::Stale { .. })) => {}
            Err(error) => tracing::error!(virq, %error, "interrupt could not be freed"),
        }
    }
}
