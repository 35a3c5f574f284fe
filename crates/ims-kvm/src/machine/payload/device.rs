// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The handler of a device's vector.

use iced_x86::IcedError;
use iced_x86::code_asm::*;

use super::super::layout::{Layout, block};
use super::apic::Apic;
use super::{field, port, tell};

/// Takes the bits of the words on the vector's list, and counts.
///
/// What finds a word empty and then `IN_HANDLER` 0 knows that all bits that were in
/// it are counted: it is set before a word is taken, and cleared after the counts
/// and after the end of the interrupt.
pub(super) fn handler(
    a: &mut CodeAssembler,
    apic: Apic,
    layout: &Layout,
    notify: bool,
) -> Result<(), IcedError> {
    let mut word = a.create_label();
    let mut bit = a.create_label();
    let mut next = a.create_label();
    let mut nothing = a.create_label();
    let mut end = a.create_label();

    a.pop(rax)?;
    a.mov(of_vector(block::IN_HANDLER), 1)?;
    a.inc(of_vector(block::INTERRUPTS))?;
    // rsi: the word; rdi: how many are left; r8: whether bits were found.
    a.mov(rsi, of_vector(block::SCAN))?;
    a.xor(r8d, r8d)?;
    a.mov(rdi, rsi)?;
    a.mov(esi, esi)?;
    a.shr(rdi, 32)?;
    a.jz(nothing)?;

    a.set_label(&mut word)?;
    a.xor(edx, edx)?;
    a.xchg(qword_ptr(rsi * 8 + layout.words_at), rdx)?;
    a.test(rdx, rdx)?;
    a.jz(next)?;
    a.inc(r8)?;
    if notify {
        a.mov(field(block::NOTICE_BITS), rdx)?;
    }
    // rbx: the counts of the word's sources.
    a.mov(rbx, rsi)?;
    a.shl(rbx, 9)?;
    a.set_label(&mut bit)?;
    a.bsf(rcx, rdx)?;
    a.btr(rdx, rcx)?;
    // Another vCPU may count the same source, which was posted again.
    a.lock().inc(qword_ptr(rbx + rcx * 8 + layout.taken_at))?;
    a.test(rdx, rdx)?;
    a.jnz(bit)?;
    if notify {
        a.mov(field(block::NOTICE_VECTOR), rax)?;
        a.mov(field(block::NOTICE_WORD), rsi)?;
        tell(a, port::NOTICE)?;
    }
    a.set_label(&mut next)?;
    a.inc(rsi)?;
    a.dec(rdi)?;
    a.jnz(word)?;
    a.test(r8, r8)?;
    a.jnz(end)?;
    a.set_label(&mut nothing)?;
    a.inc(of_vector(block::EMPTY))?;

    a.set_label(&mut end)?;
    a.mov(rbx, rax)?;
    apic.write(a, Apic::EOI, 0)?;
    a.mov(qword_ptr(rbx * 8 + block::IN_HANDLER).gs(), 0)?;
    a.iretq()
}

/// Reads the status register of the vector's device, and writes what it read, if that
/// is something, into the one that acknowledges. `device` goes on; the vector stays on
/// the stack.
pub(super) fn acknowledge(a: &mut CodeAssembler, device: CodeLabel) -> Result<(), IcedError> {
    a.mov(rax, qword_ptr(rsp))?;
    // At work from here on: the accesses are part of it.
    a.mov(of_vector(block::IN_HANDLER), 1)?;
    a.mov(rcx, of_vector(block::STATUS))?;
    a.mov(edx, dword_ptr(rcx))?;
    a.test(edx, edx)?;
    a.jz(device)?;
    a.mov(dword_ptr(rcx + 4), edx)
}

/// A field of the vCPU's block, of the vector in rax.
fn of_vector(at: u64) -> AsmMemoryOperand {
    qword_ptr(rax * 8 + at).gs()
}
