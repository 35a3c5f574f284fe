// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A VM that takes interrupts and never runs: what remains is what a sender pays.

use super::Outcome;
use kvm_ioctls::{Kvm, VcpuFd, VmFd};
use std::sync::Arc;

/// The spurious-interrupt vector register of an APIC, and its enable bit.
const SPURIOUS: usize = 0xf0;
const ENABLE: [u8; 2] = [0xff, 0x01];

/// A VM with one CPU that is not running, APIC id 0.
pub(super) struct Still {
    pub(super) vm: Arc<VmFd>,
    _cpu: VcpuFd,
}

impl Still {
    /// # Errors
    /// What KVM says, among it that it is not there.
    pub(super) fn new() -> Outcome<Self> {
        let vm = Kvm::new()?.create_vm()?;
        vm.create_irq_chip()?;
        let cpu = vm.create_vcpu(0)?;
        // After reset an APIC is off and drops what it is sent: not what a write
        // to a working guest's irqfd costs.
        let mut apic = cpu.get_lapic()?;
        for (register, byte) in apic.regs.iter_mut().skip(SPURIOUS).zip(ENABLE) {
            *register = byte.cast_signed();
        }
        cpu.set_lapic(&apic)?;
        Ok(Self {
            vm: Arc::new(vm),
            _cpu: cpu,
        })
    }
}
