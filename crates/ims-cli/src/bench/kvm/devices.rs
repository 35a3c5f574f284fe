// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Devices with MSI-X on a VM, as a guest has set them up.

use super::super::Outcome;
use ims::message::{
    Addressing, Compatibility, DeliveryMode, Destination, Message, RequesterId, Trigger,
};
use ims::msix::layout::{ENTRY_BYTES, MAX_VECTORS, PBA_WORD_BYTES};
use ims::msix::{BarOffset, MsixConfig};
use ims_kvm::{Interrupts, MsixDevice, Options, Pins, Vm};
use kvm_bindings::{
    KVM_IRQ_ROUTING_IRQCHIP, KVM_IRQCHIP_IOAPIC, kvm_irq_routing_entry,
    kvm_irq_routing_entry__bindgen_ty_1, kvm_irq_routing_irqchip,
};
use std::sync::Arc;
use std::thread::yield_now;
use std::time::{Duration, Instant};

/// Pins of the I/O APIC, which have a route each in every table here.
pub(super) const PINS: u32 = 24;

/// Vectors of a CPU that messages use, from the first.
const FIRST: u8 = 0x30;
const VECTORS: u32 = 200;

/// When what was asked for does not come.
const NEVER: Duration = Duration::from_secs(10);

/// Where vector control is in a table entry.
const CONTROL: u64 = 12;

/// A VM's interrupts, with room for as many routes as KVM has, or for `gsis` pins and
/// vectors.
///
/// # Errors
/// No epoll set, no thread.
pub(super) fn interrupts<V: Vm>(vm: Arc<V>, gsis: Option<u32>) -> Outcome<Interrupts<V>> {
    Ok(Interrupts::new(
        vm,
        Options {
            pins: Pins::Routes(pins()),
            addressing: Addressing::Xapic,
            gsis,
        },
    )?)
}

/// The routes of the I/O APIC's pins.
pub(super) fn pins() -> Vec<kvm_irq_routing_entry> {
    (0..PINS)
        .map(|pin| kvm_irq_routing_entry {
            gsi: pin,
            type_: KVM_IRQ_ROUTING_IRQCHIP,
            u: kvm_irq_routing_entry__bindgen_ty_1 {
                irqchip: kvm_irq_routing_irqchip {
                    irqchip: KVM_IRQCHIP_IOAPIC,
                    pin,
                },
            },
            ..Default::default()
        })
        .collect()
}

/// The guest's message number `number`, for CPU 0: of different vectors as far as it
/// has them.
///
/// # Errors
/// Never for CPU 0.
pub(super) fn message(number: u32) -> Outcome<Message> {
    let vector = FIRST + u8::try_from(number % VECTORS)?;
    let message = Compatibility {
        destination: Destination {
            id: 0,
            logical: false,
            redirection_hint: false,
        },
        delivery: DeliveryMode::Fixed,
        trigger: Trigger::Edge,
        vector,
    };
    Ok(message.encode(Addressing::Xapic)?)
}

/// A device in reset state.
///
/// # Errors
/// So many vectors no device has.
pub(super) fn device<V: Vm>(
    interrupts: &Interrupts<V>,
    number: u32,
    vectors: u16,
) -> Outcome<MsixDevice<V>> {
    let table = u32::try_from(ENTRY_BYTES)? * u32::from(vectors);
    // It is a multiple of 16, so of a word of the pending-bit array.
    debug_assert_eq!(u64::from(table) % PBA_WORD_BYTES, 0);
    let at = |offset| BarOffset { bir: 0, offset };
    let config = MsixConfig {
        vectors,
        table: at(0),
        pba: at(table),
    };
    Ok(interrupts.msix(config, RequesterId(u16::try_from(number)? << 3))?)
}

/// Devices with `vectors` in all, enabled, each vector programmed and masked, with an
/// eventfd of its own.
///
/// # Errors
/// No more descriptors.
pub(super) fn masked<V: Vm>(
    interrupts: &Interrupts<V>,
    vectors: u32,
) -> Outcome<Vec<MsixDevice<V>>> {
    let mut devices = Vec::new();
    let mut left = vectors;
    while left > 0 {
        let vectors = u16::try_from(left).unwrap_or(MAX_VECTORS).min(MAX_VECTORS);
        let mut device = device(interrupts, u32::try_from(devices.len())?, vectors)?;
        for vector in 0..vectors {
            device.program(vector, message(left - u32::from(vector))?, true)?;
            device.eventfd(vector)?;
        }
        device.set_enabled(true);
        devices.push(device);
        left -= u32::from(vectors);
    }
    Ok(devices)
}

/// Waits until so many eventfds are irqfds: the forwarder may be about it still.
///
/// # Errors
/// They do not become irqfds.
pub(super) fn wait_promoted<V: Vm>(interrupts: &Interrupts<V>, wanted: u64) -> Outcome<()> {
    let begun = Instant::now();
    loop {
        let report = interrupts.report();
        if report.promoted == wanted {
            return Ok(());
        }
        if begun.elapsed() > NEVER {
            return Err(format!("{wanted} eventfds were to be irqfds: {report:?}").into());
        }
        yield_now();
    }
}

/// The guest's write that unmasks a vector, as its exit brings it.
#[inline]
pub(super) fn unmask<V: Vm>(device: &mut MsixDevice<V>, vector: u16) {
    device.write_table(u64::from(vector) * ENTRY_BYTES + CONTROL, &[0; 4]);
}

/// The write that masks it.
#[inline]
pub(super) fn mask<V: Vm>(device: &mut MsixDevice<V>, vector: u16) {
    device.write_table(u64::from(vector) * ENTRY_BYTES + CONTROL, &[1, 0, 0, 0]);
}

/// Whether a raise of each vector is sent.
pub(super) fn all_send<V: Vm>(device: &MsixDevice<V>) -> bool {
    (0..device.config().vectors).all(|vector| device.vector(vector).is_some_and(|view| view.sends))
}
