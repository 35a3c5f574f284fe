// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A run's virtual machines on KVM.
//!
//! ```text
//!   remap unit ─▶ vcpus ─▶ pending bit in guest memory, then a message ─▶ KVM
//!                                        │                                │
//!   lane ◀── handlers ◀── exit ──── the guest's handler takes the bit ◀───┘
//!                                        │
//!   verdict ◀── accounts ◀── what the guest counted, place by place
//! ```
//!
//! Each vector of each vCPU is a *place* with a word of pending bits of its own,
//! of which the first is used: what a guest's handler found there is then exactly
//! what was sent to that place.

mod accounts;
mod handlers;
mod usable;
mod vcpus;

use std::sync::Arc;

use ims_host::{ForeignCpus, Host, Space};
use ims_kvm::machine::{Config, Irqchip, Machine};
use vm_memory::GuestMemoryMmap;

use super::error::{RunError, host};
use super::report::GuestCounts;
pub(super) use accounts::{Account, held};
use handlers::Handlers;
pub(super) use usable::{Ground, KVM, ground};
use vcpus::GuestCpus;

/// More vCPUs can only be named by APICs in x2APIC mode: an xAPIC has 8 bits for an
/// id, and 255 is everybody.
const XAPIC_VCPUS: u32 = 255;

/// A virtual machine that runs on KVM. Its vCPUs run until the host is gone, too;
/// they call no handler from when this is dropped.
pub(super) struct Guest {
    space: Space,
    vcpus: Arc<GuestCpus>,
    handlers: Arc<Handlers>,
}

impl Guest {
    /// Starts VM `number` with `vcpus` vCPUs, as CPUs of `on`, and `bytes` of
    /// memory for its operations.
    pub(super) fn start(on: &Host, number: u32, vcpus: u32, bytes: u64) -> Result<Self, RunError> {
        let machine = |error| RunError::Machine { vm: number, error };
        let handlers = Arc::new(Handlers::default());
        let config = Config {
            vcpus,
            irqchip: Irqchip::InKernel,
            x2apic: vcpus > XAPIC_VCPUS,
            words: vcpus::words(vcpus),
            memory: bytes,
            notify: true,
        };
        let bus = Arc::clone(&handlers) as _;
        let started = Machine::start(config, bus).map_err(machine)?;
        let vcpus = Arc::new(GuestCpus::new(started));
        let foreign: Arc<dyn ForeignCpus> = Arc::clone(&vcpus) as _;
        let (space, takes) = on
            .add_foreign_space(config.vcpus, &vcpus::own_vectors(), &foreign)
            .map_err(host("adding a guest's vCPUs"))?;
        handlers.call(takes);
        Ok(Self {
            space,
            vcpus,
            handlers,
        })
    }

    /// Its vCPUs.
    pub(super) fn space(&self) -> Space {
        self.space
    }

    /// All of its memory.
    pub(super) fn memory(&self) -> &GuestMemoryMmap<()> {
        self.vcpus.machine().memory()
    }

    /// Where its operations may work in it.
    pub(super) fn own_memory(&self) -> u64 {
        self.vcpus.machine().own_memory()
    }

    /// What is told of vCPUs that run no more: whatever waits for them waits in vain.
    pub(super) fn stopped(&self) -> impl Iterator<Item = String> {
        self.vcpus.stopped()
    }

    /// What was sent to each place and what the guest counted there, once nothing
    /// is on its way; and what else must be told of the guest.
    pub(super) fn accounts(&self) -> (GuestCounts, Vec<String>) {
        let (mut counts, mut wrong) = held(self.vcpus.accounts());
        wrong.extend(self.stopped());
        let signalled = self.vcpus.signalled();
        counts.refused = signalled.refused + signalled.failed;
        if counts.refused > 0 {
            let refused = counts.refused;
            wrong.push(format!("KVM refused {refused} messages to vCPUs"));
        }
        let strange = self.handlers.strange();
        if strange > 0 {
            wrong.push(format!(
                "guest handlers found {strange} pending bits that nobody sets"
            ));
        }
        (counts, wrong)
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        // The machine knows the handlers, their drivers know the device, the device
        // the CPUs, and the CPUs the machine: somebody must let go.
        self.handlers.end();
    }
}

#[cfg(test)]
mod tests;
