// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The neighbours: what the kernel takes to be told of an interrupt.

use super::super::Outcome;
use super::super::still::Still;
use super::super::timing::plain;
use kvm_bindings::{
    KVM_IRQ_ROUTING_MSI, KvmIrqRouting, kvm_irq_routing_entry, kvm_irq_routing_entry__bindgen_ty_1,
    kvm_irq_routing_msi, kvm_msi,
};
use std::time::Duration;
use vmm_sys_util::eventfd::{EFD_NONBLOCK, EventFd};

/// The messages' address: CPU 0, physical destination.
const ADDRESS: u32 = 0xfee0_0000;
/// The messages' data: a vector, fixed and edge.
const DATA: u32 = 0x41;
/// The irqfd's route.
const GSI: u32 = 24;

/// What can be called here.
pub(super) struct Calls {
    event: EventFd,
    /// A VM, or why there is none.
    vm: Result<Vm, String>,
}

/// A VM, and an eventfd that interrupts it.
struct Vm {
    still: Still,
    irqfd: EventFd,
}

impl Calls {
    /// # Errors
    /// There is not even an eventfd.
    pub(super) fn new() -> Outcome<Self> {
        Ok(Self {
            event: EventFd::new(EFD_NONBLOCK)?,
            vm: Vm::new().map_err(|error| format!("no VM with /dev/kvm: {error}")),
        })
    }

    /// Why there is no VM, if there is none.
    pub(super) fn missing(&self) -> Option<&str> {
        self.vm.as_ref().err().map(String::as_str)
    }

    /// Measures a write to an eventfd that nobody waits for.
    pub(super) fn eventfd_write(&self, batch: Duration) -> Outcome<f64> {
        plain(batch, || self.event.write(1))
    }

    /// Measures a write to an eventfd that KVM turns into an interrupt.
    pub(super) fn irqfd_write(&self, batch: Duration) -> Outcome<f64> {
        let vm = self.vm.as_ref().map_err(String::clone)?;
        plain(batch, || vm.irqfd.write(1))
    }

    /// Measures a message given to KVM.
    pub(super) fn signal_msi(&self, batch: Duration) -> Outcome<f64> {
        let vm = self.vm.as_ref().map_err(String::clone)?;
        let message = kvm_msi {
            address_lo: ADDRESS,
            data: DATA,
            ..Default::default()
        };
        plain(batch, || vm.still.vm.signal_msi(message).map(|_| ()))
    }
}

impl Vm {
    fn new() -> Outcome<Self> {
        let still = Still::new()?;
        let route = kvm_irq_routing_entry {
            gsi: GSI,
            type_: KVM_IRQ_ROUTING_MSI,
            u: kvm_irq_routing_entry__bindgen_ty_1 {
                msi: kvm_irq_routing_msi {
                    address_lo: ADDRESS,
                    data: DATA,
                    ..Default::default()
                },
            },
            ..Default::default()
        };
        let routes = KvmIrqRouting::from_entries(&[route]).map_err(|error| format!("{error:?}"))?;
        still.vm.set_gsi_routing(&routes)?;
        let irqfd = EventFd::new(EFD_NONBLOCK)?;
        still.vm.register_irqfd(&irqfd, GSI)?;
        Ok(Self { still, irqfd })
    }
}
