// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Routes of others, which every table repeats.

use std::collections::BTreeSet;

use kvm_bindings::{
    KVM_IRQ_ROUTING_IRQCHIP, KVM_IRQCHIP_IOAPIC, KVM_IRQCHIP_PIC_MASTER, KVM_IRQCHIP_PIC_SLAVE,
    kvm_irq_routing_entry, kvm_irq_routing_entry__bindgen_ty_1, kvm_irq_routing_irqchip,
};

use crate::interrupts::Pins;

/// Pins of KVM's own I/O APIC.
const IOAPIC_PINS: u32 = 24;
/// Pins of one PIC; there are two.
const PIC_PINS: u32 = 8;

/// Others' routes, and the GSIs kept for them.
#[derive(Debug, Clone)]
pub(crate) struct Pinned {
    /// Kept for them, whatever their routes are.
    pub(crate) below: u32,
    pub(crate) routes: Vec<kvm_irq_routing_entry>,
}

impl Pinned {
    pub(crate) fn new(pins: Pins) -> Self {
        match pins {
            Pins::InKernel => Self {
                below: IOAPIC_PINS,
                routes: in_kernel(),
            },
            Pins::Split(below) => Self {
                below,
                routes: Vec::new(),
            },
            Pins::Routes(routes) => Self { below: 0, routes },
        }
    }

    /// The GSIs that no vector gets.
    pub(crate) fn gsis(&self) -> BTreeSet<u32> {
        let routed = self.routes.iter().map(|route| route.gsi);
        (0..self.below).chain(routed).collect()
    }
}

/// The table that `KVM_CREATE_IRQCHIP` makes (arch/x86/kvm/irq.c, `default_routing`):
/// a pin below 16 reaches a PIC and the I/O APIC, one above only the latter.
fn in_kernel() -> Vec<kvm_irq_routing_entry> {
    let mut routes = Vec::new();
    for gsi in 0..IOAPIC_PINS {
        routes.push(route(gsi, KVM_IRQCHIP_IOAPIC, gsi));
        match gsi {
            0..PIC_PINS => routes.push(route(gsi, KVM_IRQCHIP_PIC_MASTER, gsi)),
            PIC_PINS..16 => routes.push(route(gsi, KVM_IRQCHIP_PIC_SLAVE, gsi - PIC_PINS)),
            _ => {}
        }
    }
    routes
}

fn route(gsi: u32, irqchip: u32, pin: u32) -> kvm_irq_routing_entry {
    kvm_irq_routing_entry {
        gsi,
        type_: KVM_IRQ_ROUTING_IRQCHIP,
        u: kvm_irq_routing_entry__bindgen_ty_1 {
            irqchip: kvm_irq_routing_irqchip { irqchip, pin },
        },
        ..kvm_irq_routing_entry::default()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn kvms_own_table_has_40_routes_of_24_pins() {
        let pins = Pinned::new(Pins::InKernel);
        assert_eq!(pins.routes.len(), 40);
        assert_eq!(pins.gsis(), (0..24).collect());
        assert!(
            pins.routes
                .iter()
                .all(|route| route.type_ == KVM_IRQ_ROUTING_IRQCHIP)
        );
    }
}
