// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What is asked of KVM: four calls on a VM, and two questions.

use kvm_bindings::{KvmIrqRouting, kvm_irq_routing_entry, kvm_msi};
use kvm_ioctls::{Cap, VmFd};
use rustix::io::Errno;
use vmm_sys_util::eventfd::EventFd;

/// A VM that takes interrupts: KVM's, or what a VMM puts around it.
///
/// # Concurrency
/// Called from any thread, also at the same time.
pub trait Vm: Send + Sync + 'static {
    /// `KVM_SIGNAL_MSI`. True if an APIC took the message; false if none did.
    ///
    /// # Errors
    /// `EINVAL` without an in-kernel local APIC; what KVM says.
    fn signal(&self, message: kvm_msi) -> Result<bool, Errno>;

    /// `KVM_SET_GSI_ROUTING`: these routes replace all others.
    ///
    /// # Errors
    /// What KVM says; the routes are as before.
    fn set_routes(&self, routes: &[kvm_irq_routing_entry]) -> Result<(), Errno>;

    /// `KVM_IRQFD`: what is written to `eventfd` raises `gsi` from now on, and what
    /// was written and not read is raised once.
    ///
    /// # Errors
    /// What KVM says: `EBUSY` if the eventfd already raises something.
    fn attach(&self, eventfd: &EventFd, gsi: u32) -> Result<(), Errno>;

    /// Ends that. What was written before has been raised when this returns.
    ///
    /// # Errors
    /// What KVM says.
    fn detach(&self, eventfd: &EventFd, gsi: u32) -> Result<(), Errno>;

    /// How many routes there may be; no GSI is as high (`KVM_CAP_IRQ_ROUTING`).
    fn max_routes(&self) -> u32;

    /// Whether a message may say who sends it (`KVM_CAP_MSI_DEVID`); if not, KVM
    /// refuses one that does.
    fn takes_device_ids(&self) -> bool;
}

fn errno(error: vmm_sys_util::errno::Error) -> Errno {
    Errno::from_raw_os_error(error.errno())
}

impl Vm for VmFd {
    fn signal(&self, message: kvm_msi) -> Result<bool, Errno> {
        self.signal_msi(message)
            .map(|taken| taken > 0)
            .map_err(errno)
    }

    fn set_routes(&self, routes: &[kvm_irq_routing_entry]) -> Result<(), Errno> {
        // It refuses only more entries than KVM has room for.
        let routes = KvmIrqRouting::from_entries(routes).map_err(|_| Errno::INVAL)?;
        self.set_gsi_routing(&routes).map_err(errno)
    }

    fn attach(&self, eventfd: &EventFd, gsi: u32) -> Result<(), Errno> {
        self.register_irqfd(eventfd, gsi).map_err(errno)
    }

    fn detach(&self, eventfd: &EventFd, gsi: u32) -> Result<(), Errno> {
        self.unregister_irqfd(eventfd, gsi).map_err(errno)
    }

    fn max_routes(&self) -> u32 {
        u32::try_from(self.check_extension_int(Cap::IrqRouting)).unwrap_or(0)
    }

    fn takes_device_ids(&self) -> bool {
        self.check_extension(Cap::MsiDevid)
    }
}

#[cfg(all(test, not(loom)))]
pub(crate) mod recorder;
