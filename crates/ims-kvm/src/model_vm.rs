// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A VM for tests that does with eventfds and routes what KVM does (virt/kvm/eventfd.c,
//! irqchip.c), and panics at what would lose an interrupt there.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "a test"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Mutex;

use kvm_bindings::{KVM_IRQ_ROUTING_MSI, kvm_irq_routing_entry, kvm_msi};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use vmm_sys_util::eventfd::EventFd;

use crate::eventfd::{descriptor, take};
use crate::vm::Vm;

/// An interrupt as it reached the APICs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Delivered {
    pub(crate) address: u64,
    pub(crate) data: u32,
    /// By an irqfd; by a message if not.
    pub(crate) irqfd: bool,
}

/// A VM without vCPUs.
#[derive(Debug)]
pub(crate) struct ModelVm {
    limit: u32,
    kernel: Mutex<Kernel>,
}

#[derive(Debug, Default)]
struct Kernel {
    routes: Vec<kvm_irq_routing_entry>,
    irqfds: BTreeMap<RawFd, u32>,
    delivered: Vec<Delivered>,
    commits: u64,
    /// The next so many calls fail.
    failing_routes: u32,
    failing_attaches: u32,
}

impl ModelVm {
    /// With so many GSIs, and as many routes.
    pub(crate) fn new(limit: u32) -> Self {
        Self {
            limit,
            kernel: Mutex::default(),
        }
    }

    /// Somebody writes to an eventfd.
    pub(crate) fn write(&self, eventfd: &EventFd) {
        let mut kernel = self.kernel.lock().unwrap();
        match kernel.irqfds.get(&eventfd.as_raw_fd()).copied() {
            // The wake-up inside the write takes the count and injects.
            Some(gsi) => {
                take(eventfd);
                kernel.inject(gsi);
            }
            None => eventfd.write(1).unwrap(),
        }
    }

    /// What reached the APICs since it was asked last.
    pub(crate) fn delivered(&self) -> Vec<Delivered> {
        std::mem::take(&mut self.kernel.lock().unwrap().delivered)
    }

    pub(crate) fn fail_routes(&self, times: u32) {
        self.kernel.lock().unwrap().failing_routes = times;
    }

    pub(crate) fn fail_attaches(&self, times: u32) {
        self.kernel.lock().unwrap().failing_attaches = times;
    }

    /// The committed table.
    pub(crate) fn routes(&self) -> Vec<kvm_irq_routing_entry> {
        self.kernel.lock().unwrap().routes.clone()
    }

    pub(crate) fn irqfds(&self) -> usize {
        self.kernel.lock().unwrap().irqfds.len()
    }

    pub(crate) fn is_irqfd(&self, eventfd: &EventFd) -> bool {
        let kernel = self.kernel.lock().unwrap();
        kernel.irqfds.contains_key(&eventfd.as_raw_fd())
    }

    /// `KVM_SET_GSI_ROUTING` calls.
    pub(crate) fn commits(&self) -> u64 {
        self.kernel.lock().unwrap().commits
    }
}

impl Kernel {
    fn msi(&self, gsi: u32) -> Option<(u64, u32)> {
        message(&self.routes, gsi)
    }

    fn inject(&mut self, gsi: u32) {
        let (address, data) = self.msi(gsi).expect("an irqfd without a route: lost");
        self.delivered.push(Delivered {
            address,
            data,
            irqfd: true,
        });
    }
}

/// The message of a GSI in a table.
fn message(routes: &[kvm_irq_routing_entry], gsi: u32) -> Option<(u64, u32)> {
    let route = routes
        .iter()
        .find(|route| route.gsi == gsi && route.type_ == KVM_IRQ_ROUTING_MSI)?;
    // SAFETY: the type says which field it is, and it is plain numbers.
    let msi = unsafe { route.u.msi };
    let address = u64::from(msi.address_hi) << 32 | u64::from(msi.address_lo);
    Some((address, msi.data))
}

impl Vm for ModelVm {
    fn signal(&self, message: kvm_msi) -> Result<bool, Errno> {
        let address = u64::from(message.address_hi) << 32 | u64::from(message.address_lo);
        self.kernel.lock().unwrap().delivered.push(Delivered {
            address,
            data: message.data,
            irqfd: false,
        });
        Ok(true)
    }

    fn set_routes(&self, routes: &[kvm_irq_routing_entry]) -> Result<(), Errno> {
        let mut kernel = self.kernel.lock().unwrap();
        kernel.commits += 1;
        if kernel.failing_routes > 0 {
            kernel.failing_routes -= 1;
            return Err(Errno::NOMEM);
        }
        if routes.len() > self.limit as usize {
            return Err(Errno::INVAL);
        }
        let mut vectors = BTreeSet::new();
        for route in routes {
            let is_msi = route.type_ == KVM_IRQ_ROUTING_MSI;
            if route.gsi >= self.limit || is_msi && !vectors.insert(route.gsi) {
                return Err(Errno::INVAL);
            }
        }
        if routes
            .iter()
            .any(|route| route.type_ != KVM_IRQ_ROUTING_MSI && vectors.contains(&route.gsi))
        {
            return Err(Errno::INVAL);
        }
        for gsi in kernel.irqfds.values() {
            let (before, after) = (kernel.msi(*gsi), message(routes, *gsi));
            assert_eq!(
                before, after,
                "the route of GSI {gsi} changed under an irqfd"
            );
        }
        kernel.routes = routes.to_vec();
        Ok(())
    }

    fn attach(&self, eventfd: &EventFd, gsi: u32) -> Result<(), Errno> {
        let mut kernel = self.kernel.lock().unwrap();
        if kernel.failing_attaches > 0 {
            kernel.failing_attaches -= 1;
            return Err(Errno::BUSY);
        }
        assert!(kernel.msi(gsi).is_some(), "GSI {gsi} has no route yet");
        assert!(
            !kernel.irqfds.values().any(|used| *used == gsi),
            "two irqfds of GSI {gsi}"
        );
        let before = kernel.irqfds.insert(eventfd.as_raw_fd(), gsi);
        assert_eq!(before, None, "an irqfd already");
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let mut look = [PollFd::from_borrowed_fd(descriptor(eventfd), PollFlags::IN)];
        // Injected once, and not taken.
        if poll(&mut look, Some(&now)).unwrap() == 1 {
            kernel.inject(gsi);
        }
        Ok(())
    }

    fn detach(&self, eventfd: &EventFd, gsi: u32) -> Result<(), Errno> {
        let mut kernel = self.kernel.lock().unwrap();
        let before = kernel.irqfds.remove(&eventfd.as_raw_fd());
        assert_eq!(before, Some(gsi), "not an irqfd of this GSI");
        // Leaving the wait queue takes what is left of the count.
        take(eventfd);
        Ok(())
    }

    fn max_routes(&self) -> u32 {
        self.limit
    }

    fn takes_device_ids(&self) -> bool {
        false
    }
}
