// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A VM that counts what is asked of it.

use ims_kvm::Vm;
use kvm_bindings::{kvm_irq_routing_entry, kvm_msi};
use rustix::io::Errno;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use vmm_sys_util::eventfd::EventFd;

/// Around another.
pub(super) struct Counted<V> {
    vm: Arc<V>,
    signals: AtomicU64,
    commits: AtomicU64,
    irqfds: AtomicU64,
}

/// System calls so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Asked {
    /// `KVM_SIGNAL_MSI`.
    pub(super) signals: u64,
    /// `KVM_SET_GSI_ROUTING`.
    pub(super) commits: u64,
    /// `KVM_IRQFD`, either way.
    pub(super) irqfds: u64,
}

impl Asked {
    pub(super) fn since(self, before: Self) -> Self {
        Self {
            signals: self.signals - before.signals,
            commits: self.commits - before.commits,
            irqfds: self.irqfds - before.irqfds,
        }
    }

    pub(super) fn all(self) -> u64 {
        self.signals + self.commits + self.irqfds
    }
}

impl<V> Counted<V> {
    pub(super) fn new(vm: Arc<V>) -> Self {
        Self {
            vm,
            signals: AtomicU64::new(0),
            commits: AtomicU64::new(0),
            irqfds: AtomicU64::new(0),
        }
    }

    pub(super) fn asked(&self) -> Asked {
        Asked {
            signals: self.signals.load(Ordering::Relaxed),
            commits: self.commits.load(Ordering::Relaxed),
            irqfds: self.irqfds.load(Ordering::Relaxed),
        }
    }
}

impl<V: Vm> Vm for Counted<V> {
    fn signal(&self, message: kvm_msi) -> Result<bool, Errno> {
        self.signals.fetch_add(1, Ordering::Relaxed);
        self.vm.signal(message)
    }

    fn set_routes(&self, routes: &[kvm_irq_routing_entry]) -> Result<(), Errno> {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.vm.set_routes(routes)
    }

    fn attach(&self, eventfd: &EventFd, gsi: u32) -> Result<(), Errno> {
        self.irqfds.fetch_add(1, Ordering::Relaxed);
        self.vm.attach(eventfd, gsi)
    }

    fn detach(&self, eventfd: &EventFd, gsi: u32) -> Result<(), Errno> {
        self.irqfds.fetch_add(1, Ordering::Relaxed);
        self.vm.detach(eventfd, gsi)
    }

    fn max_routes(&self) -> u32 {
        self.vm.max_routes()
    }

    fn takes_device_ids(&self) -> bool {
        self.vm.takes_device_ids()
    }
}
