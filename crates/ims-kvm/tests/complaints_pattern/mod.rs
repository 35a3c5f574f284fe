// SPDX-License-Identifier: Apache-2.0 OR MIT
//! MSI-X on KVM as Rust VMMs do it, in the fewest lines: an eventfd for each vector as
//! soon as there is a device, a GSI and an irqfd for each that is unmasked, one list of
//! all routes of the VM, written anew whenever a vector changes.
//!
//! So do Cloud Hypervisor, crosvm (both with the GSI taken at the first unmask),
//! Firecracker (its path for one vector) and Kata's Dragonball (`update`). While a
//! vector is masked its irqfd stays live, as in Cloud Hypervisor: the mask is looked
//! at by the VMM's own `trigger`, which a writer of the eventfd does not call.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use ims::message::{Addressing, Message, RequesterId};
use ims_kvm::{Composer, Vm};
use kvm_bindings::kvm_irq_routing_entry;
use rustix::io::Errno;
use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

/// The first GSI that is no pin's.
const FIRST: u32 = 24;

/// All routes of a VM.
pub struct RouteList<V> {
    vm: Arc<V>,
    routes: Mutex<Routes>,
}

struct Routes {
    next: u32,
    entries: BTreeMap<u32, kvm_irq_routing_entry>,
}

/// The vectors of a device.
pub struct Group<V> {
    list: Arc<RouteList<V>>,
    vectors: Vec<Vector>,
}

struct Vector {
    eventfd: EventFd,
    gsi: Option<u32>,
    masked: bool,
    /// What the guest reads in the pending-bit array.
    pending: bool,
}

impl<V: Vm> RouteList<V> {
    pub fn new(vm: Arc<V>) -> Arc<Self> {
        let routes = Routes {
            next: FIRST,
            entries: BTreeMap::new(),
        };
        let routes = Mutex::new(routes);
        Arc::new(Self { vm, routes })
    }

    /// Writes the whole table.
    pub fn commit(&self) -> Result<(), Errno> {
        let routes = self.routes.lock().unwrap();
        let table: Vec<_> = routes.entries.values().copied().collect();
        self.vm.set_routes(&table)
    }

    fn gsi(&self) -> u32 {
        let mut routes = self.routes.lock().unwrap();
        routes.next += 1;
        routes.next - 1
    }

    fn set(&self, gsi: u32, message: Message) {
        let composer = Composer {
            addressing: Addressing::Xapic,
            device_ids: false,
        };
        let route = composer.route(gsi, RequesterId(0), message).unwrap();
        self.routes.lock().unwrap().entries.insert(gsi, route);
    }
}

impl<V: Vm> Group<V> {
    pub fn new(list: &Arc<RouteList<V>>, vectors: usize) -> Self {
        let vector = || Vector {
            eventfd: EventFd::new(EFD_NONBLOCK).unwrap(),
            gsi: None,
            masked: true,
            pending: false,
        };
        Self {
            list: Arc::clone(list),
            vectors: std::iter::repeat_with(vector).take(vectors).collect(),
        }
    }

    /// Gives a vector its message, unmasked. `commit` is the batch flag: false leaves
    /// the table and the irqfd to [`Group::enable`].
    pub fn unmask(&mut self, vector: usize, message: Message, commit: bool) -> Result<(), Errno> {
        let vector = &mut self.vectors[vector];
        let first = vector.gsi.is_none();
        let gsi = *vector.gsi.get_or_insert_with(|| self.list.gsi());
        vector.masked = false;
        self.list.set(gsi, message);
        if commit {
            self.list.commit()?;
            if first {
                self.list.vm.attach(&vector.eventfd, gsi)?;
            }
        }
        Ok(())
    }

    /// Makes irqfds of all, at once.
    pub fn enable(&self) -> Result<(), Errno> {
        for vector in &self.vectors {
            let gsi = vector.gsi.unwrap();
            self.list.vm.attach(&vector.eventfd, gsi)?;
        }
        Ok(())
    }

    pub fn mask(&mut self, vector: usize) {
        self.vectors[vector].masked = true;
    }

    /// What the VMM's own devices call.
    pub fn trigger(&mut self, vector: usize) {
        let vector = &mut self.vectors[vector];
        if vector.masked {
            vector.pending = true;
        } else {
            vector.eventfd.write(1).unwrap();
        }
    }

    pub fn is_pending(&self, vector: usize) -> bool {
        self.vectors[vector].pending
    }

    /// What vhost or another process is given.
    pub fn notifier(&self, vector: usize) -> &EventFd {
        &self.vectors[vector].eventfd
    }
}
