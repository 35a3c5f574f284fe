// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Pins of the in-kernel I/O APIC, level-triggered.
//!
//! ```text
//!   Pin::set ── KVM_IRQ_LINE ──▶ I/O APIC ── redirection entry ──▶ a vCPU's APIC
//!                                   ▲                                 │ handler:
//!   route_pin ── guest code ────────┘             status, acknowledge, end of interrupt
//! ```
//!
//! Registers: 82093AA I/O APIC, 3.1 and 3.2.

use std::sync::Arc;

use kvm_ioctls::VmFd;

use super::error::kvm_error;
use super::layout::{IOAPIC, Layout, block};
use super::{Irqchip, Machine, MachineError, VECTORS};

/// Selects a register.
const SELECT: u64 = IOAPIC;
/// The selected register.
const WINDOW: u64 = IOAPIC + 0x10;
/// The first redirection entry: two registers each, the low half first.
const ENTRIES: u64 = 0x10;
/// In an entry: level-triggered; active high, fixed, physical and unmasked by zeros.
const LEVEL: u64 = 1 << 15;
/// In an entry: no interrupts.
const MASKED: u64 = 1 << 16;
/// In an entry, read-only: an interrupt is on its way or handled. Its end is told by the
/// vector, so the entry must have that until then.
const REMOTE_IRR: u64 = 1 << 14;
/// In an entry's high half: the APIC id.
const DESTINATION_SHIFT: u32 = 24;
/// How often an entry is looked at, for the end of its interrupt.
const LOOKS: u32 = 100_000;
/// How many there are.
const PINS: u8 = 24;

/// A wire to an I/O APIC.
#[derive(Debug, Clone)]
pub struct Pin {
    vm: Arc<VmFd>,
    number: u8,
}

impl Pin {
    /// Asserts it, or not.
    ///
    /// # Errors
    /// What KVM says of `KVM_IRQ_LINE`.
    pub fn set(&self, asserted: bool) -> Result<(), MachineError> {
        self.vm
            .set_irq_line(self.number.into(), asserted)
            .map_err(kvm_error("KVM_IRQ_LINE"))
    }
}

impl Machine {
    /// The wire to a pin; 16 to 23 go to the I/O APIC alone.
    ///
    /// # Errors
    /// There is no such pin in the kernel.
    pub fn pin(&self, number: u8) -> Result<Pin, MachineError> {
        if number >= PINS || self.config.irqchip != Irqchip::InKernel {
            return Err(MachineError::NoSuchPin { pin: number });
        }
        Ok(Pin {
            vm: Arc::clone(&self.vm),
            number,
        })
    }

    /// Has guest code on `by` route a pin to `vector` of `cpu`, level-triggered: masks
    /// it, waits for the end of an interrupt that is handled, and writes the entry; all
    /// in the kernel's I/O APIC, nothing reaches [`super::Bus`]. What comes meanwhile is
    /// delivered then.
    ///
    /// # Errors
    /// As [`Machine::guest_write`]; there is no such pin; its interrupt does not end.
    pub fn route_pin(&self, by: u32, number: u8, cpu: u32, vector: u8) -> Result<(), MachineError> {
        let _ = self.pin(number)?;
        let low = ENTRIES + u64::from(number) * 2;
        let destination = u64::from(cpu) << DESTINATION_SHIFT;
        self.guest_write(by, SELECT, low, 4)?;
        let before = self.guest_read(by, WINDOW, 4)?;
        self.guest_write(by, WINDOW, before | MASKED, 4)?;
        let ended = || Ok(self.guest_read(by, WINDOW, 4)? & REMOTE_IRR == 0);
        let mut looks = 0..LOOKS;
        while !ended()? {
            if looks.next().is_none() {
                return Err(MachineError::PinBusy { pin: number });
            }
        }
        self.guest_write(by, SELECT, low + 1, 4)?;
        self.guest_write(by, WINDOW, destination, 4)?;
        self.guest_write(by, SELECT, low, 4)?;
        self.guest_write(by, WINDOW, LEVEL | u64::from(vector), 4)
    }

    /// From now on the handler of `vector`, on every vCPU, first reads the 32-bit
    /// register at `status`, and writes what it read into the one after it unless that is
    /// zero: so the
    /// single interrupt of virtio-mmio is acknowledged (virtio 1.3, 4.2.2, 0x060 and
    /// 0x064), before the end of the interrupt.
    ///
    /// Call it before there are interrupts at `vector`; outside [`VECTORS`] it does
    /// nothing.
    pub fn acknowledges(&self, vector: u8, status: u64) {
        if !VECTORS.contains(&vector) {
            return;
        }
        for cpu in 0..self.config.vcpus {
            let at = Layout::of_vector(cpu, block::STATUS, vector);
            self.shared.memory.store(at, status);
        }
        if let Some(handler) = self.acknowledging.get(usize::from(vector)) {
            super::descriptors::gate(&self.shared.memory, vector, *handler);
        }
    }
}
