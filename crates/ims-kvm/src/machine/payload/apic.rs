// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Registers of the local APIC, as guest code writes them.

use iced_x86::IcedError;
use iced_x86::code_asm::*;

use super::super::layout::APIC;

/// Instructions for an APIC in one of its modes.
#[derive(Clone, Copy)]
pub(super) struct Apic {
    pub(super) x2apic: bool,
}

impl Apic {
    /// Offset of the end-of-interrupt register (SDM Vol. 3, 12.4.1).
    pub(super) const EOI: u64 = 0xb0;
    /// Offset of the spurious-interrupt vector register.
    pub(super) const SPURIOUS: u64 = 0xf0;
    /// In that, the APIC is on.
    pub(super) const ENABLE: u32 = 1 << 8;

    /// Writes a register. Uses rax, rcx and rdx.
    pub(super) fn write(
        self,
        a: &mut CodeAssembler,
        register: u64,
        value: u32,
    ) -> Result<(), IcedError> {
        if self.x2apic {
            // MSRs of x2APIC mode: 800h and the offset by 16.
            a.mov(rcx, 0x800 + (register >> 4))?;
            a.mov(eax, value)?;
            a.xor(edx, edx)?;
            a.wrmsr()
        } else {
            // A displacement would be signed.
            a.mov(rcx, APIC + register)?;
            a.mov(dword_ptr(rcx), value)
        }
    }
}
