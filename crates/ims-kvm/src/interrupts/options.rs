// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a VM's interrupts are made with.

use ims::message::Addressing;
use kvm_bindings::kvm_irq_routing_entry;

/// What a VM's interrupts are made with.
#[derive(Debug, Clone)]
pub struct Options {
    /// Routes of others, which every table keeps.
    pub pins: Pins,
    /// What the guest is told of destinations in messages.
    pub addressing: Addressing,
    /// Use GSIs below this only, pins included; below KVM's own limit if `None`.
    pub gsis: Option<u32>,
}

/// KVM's own interrupt controllers, destinations of 8 bits, all GSIs.
impl Default for Options {
    fn default() -> Self {
        Self {
            pins: Pins::InKernel,
            addressing: Addressing::Xapic,
            gsis: None,
        }
    }
}

/// GSIs that are not for vectors.
#[derive(Debug, Clone)]
pub enum Pins {
    /// KVM's PIC and IOAPIC: the 40 routes that it makes itself (GSIs 0 to 23). They
    /// count against its 4096, so 4056 eventfds can be irqfds at a time.
    InKernel,
    /// `KVM_CAP_SPLIT_IRQCHIP`: GSIs below this belong to the VMM's IOAPIC, which
    /// sets their routes as the guest writes them ([`crate::Interrupts::set_pins`]).
    Split(u32),
    /// These routes, whatever they are. KVM has them from the first commit on, if the
    /// VMM has not set them itself.
    Routes(Vec<kvm_irq_routing_entry>),
}
