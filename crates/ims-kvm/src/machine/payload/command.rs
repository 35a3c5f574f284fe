// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The mailbox's handler, and the accesses that it makes.

use iced_x86::IcedError;
use iced_x86::code_asm::*;

use super::super::layout::block;
use super::apic::Apic;
use super::{field, port, tell};

/// An access the guest makes for the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub(in super::super) enum Access {
    Write8,
    Write16,
    Write32,
    Write64,
    Read8,
    Read16,
    Read32,
    Read64,
}

impl Access {
    /// A write of so many bytes.
    pub(in super::super) fn write(bytes: u8) -> Option<Self> {
        Some(match bytes {
            1 => Self::Write8,
            2 => Self::Write16,
            4 => Self::Write32,
            8 => Self::Write64,
            _ => return None,
        })
    }

    /// A read of so many bytes.
    pub(in super::super) fn read(bytes: u8) -> Option<Self> {
        Some(match bytes {
            1 => Self::Read8,
            2 => Self::Read16,
            4 => Self::Read32,
            8 => Self::Read64,
            _ => return None,
        })
    }
}

/// Makes the access in the mailbox if it is a new one, while interrupts are on:
/// what the access brings about may interrupt it, even this vector again.
pub(super) fn handler(a: &mut CodeAssembler, apic: Apic) -> Result<(), IcedError> {
    let mut none = a.create_label();
    let mut done = a.create_label();

    // The vector is known.
    a.pop(rax)?;
    apic.write(a, Apic::EOI, 0)?;
    a.mov(rax, field(block::COMMAND))?;
    a.cmp(rax, field(block::STARTED))?;
    a.je(none)?;
    a.mov(field(block::STARTED), rax)?;
    a.mov(r9, rax)?;
    a.mov(r10, field(block::ACCESS))?;
    a.mov(r11, field(block::ADDRESS))?;
    a.mov(r12, field(block::VALUE))?;
    a.sti()?;
    // All that are in `Access`; an unknown one does nothing and reads 0.
    for access in [
        Access::Write8,
        Access::Write16,
        Access::Write32,
        Access::Write64,
        Access::Read8,
        Access::Read16,
        Access::Read32,
        Access::Read64,
    ] {
        let mut other = a.create_label();
        a.cmp(r10, access as i32)?;
        a.jne(other)?;
        match access {
            Access::Write8 => a.mov(byte_ptr(r11), r12b)?,
            Access::Write16 => a.mov(word_ptr(r11), r12w)?,
            Access::Write32 => a.mov(dword_ptr(r11), r12d)?,
            Access::Write64 => a.mov(qword_ptr(r11), r12)?,
            Access::Read8 => a.movzx(r12d, byte_ptr(r11))?,
            Access::Read16 => a.movzx(r12d, word_ptr(r11))?,
            Access::Read32 => a.mov(r12d, dword_ptr(r11))?,
            Access::Read64 => a.mov(r12, qword_ptr(r11))?,
        }
        a.jmp(done)?;
        a.set_label(&mut other)?;
    }
    a.xor(r12d, r12d)?;
    a.set_label(&mut done)?;
    // Off again before the host knows, so that one command never interrupts another.
    a.cli()?;
    a.mov(field(block::VALUE), r12)?;
    a.mov(field(block::DONE), r9)?;
    tell(a, port::DONE)?;
    a.set_label(&mut none)?;
    a.iretq()
}
