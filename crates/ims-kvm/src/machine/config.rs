// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a machine is made of.

use ims::message::Addressing;

/// What a machine is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// vCPUs.
    pub vcpus: u32,
    /// Where the I/O APIC is.
    pub irqchip: Irqchip,
    /// APICs in x2APIC mode, destinations of 32 bits: needed above 255 vCPUs.
    pub x2apic: bool,
    /// Words of pending bits; each has 64 sources.
    pub words: u32,
    /// Bytes of guest memory for whoever uses the machine ([`super::Machine::memory`]).
    pub memory: u64,
    /// Handlers tell [`super::Bus::taken`] what they found: an exit each.
    pub notify: bool,
}

/// Where the I/O APIC is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Irqchip {
    /// In the kernel, with the PIC.
    InKernel,
    /// In the VMM (`KVM_CAP_SPLIT_IRQCHIP`), with so many pins.
    Split(u8),
}

impl Config {
    /// Which destinations messages to its vCPUs have.
    pub(super) fn addressing(&self) -> Addressing {
        if self.x2apic {
            Addressing::X2apic
        } else {
            Addressing::Xapic
        }
    }
}
