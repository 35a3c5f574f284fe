// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Segments and gates of long mode (SDM Vol. 3, 3.4.5 and 7.14.1), and the
//! registers a vCPU starts with.

use kvm_bindings::{kvm_dtable, kvm_regs, kvm_segment, kvm_sregs};

use super::layout::{GDT, IDT, Layout, PML4, block};
use super::memory::Memory;

/// Selector of the code segment.
const CODE_SELECTOR: u16 = 0x08;
/// Selector of the data segment.
const DATA_SELECTOR: u16 = 0x10;
/// Selector of the task state, which nothing uses but KVM wants.
const TASK_SELECTOR: u16 = 0x18;

/// 64-bit code, present, accessed.
const CODE_DESCRIPTOR: u64 = 0x00af_9b00_0000_ffff;
/// Data, present, writable, accessed.
const DATA_DESCRIPTOR: u64 = 0x00cf_9300_0000_ffff;

/// Interrupt gate, present.
const INTERRUPT_GATE: u64 = 0x8e;

/// CR0: protected mode, extension type, numeric errors, paging.
const CR0: u64 = 1 | 1 << 4 | 1 << 5 | 1 << 31;
/// CR4: physical address extension.
const CR4: u64 = 1 << 5;
/// EFER: long mode enabled and active.
const EFER: u64 = 1 << 8 | 1 << 10;
/// RFLAGS: the bit that is always set; interrupts are off.
const RFLAGS: u64 = 1 << 1;

/// APIC base: enabled (SDM Vol. 3, 12.4.4).
const APIC_ENABLED: u64 = 1 << 11;
/// APIC base: x2APIC mode.
const APIC_EXTENDED: u64 = 1 << 10;

/// Writes the segment descriptors, and a gate to each handler.
pub(super) fn write(memory: &Memory, gates: &[u64; 256]) {
    memory.store(GDT + u64::from(CODE_SELECTOR), CODE_DESCRIPTOR);
    memory.store(GDT + u64::from(DATA_SELECTOR), DATA_DESCRIPTOR);
    for (vector, handler) in (0..=u8::MAX).zip(gates) {
        gate(memory, vector, *handler);
    }
}

/// Writes the gate of a vector that takes no interrupts now.
pub(super) fn gate(memory: &Memory, vector: u8, handler: u64) {
    let at = IDT + u64::from(vector) * 16;
    let low = handler & 0xffff
        | u64::from(CODE_SELECTOR) << 16
        | INTERRUPT_GATE << 40
        | (handler >> 16 & 0xffff) << 48;
    memory.store(at, low);
    memory.store(at + 8, handler >> 32);
}

/// Long mode, on these tables, with the vCPU's block at GS.
pub(super) fn system_registers(sregs: kvm_sregs, cpu: u32, x2apic: bool) -> kvm_sregs {
    let code = kvm_segment {
        limit: u32::MAX,
        selector: CODE_SELECTOR,
        type_: 0xb,
        present: 1,
        s: 1,
        l: 1,
        g: 1,
        ..kvm_segment::default()
    };
    let data = kvm_segment {
        selector: DATA_SELECTOR,
        type_: 0x3,
        l: 0,
        db: 1,
        ..code
    };
    let task = kvm_segment {
        limit: 0x67,
        selector: TASK_SELECTOR,
        type_: 0xb,
        present: 1,
        ..kvm_segment::default()
    };
    let mode = if x2apic { APIC_EXTENDED } else { 0 };
    kvm_sregs {
        cs: code,
        ds: data,
        es: data,
        fs: data,
        gs: kvm_segment {
            base: Layout::block(cpu),
            ..data
        },
        ss: data,
        tr: task,
        gdt: table(GDT, 3 * 8 - 1),
        idt: table(IDT, 256 * 16 - 1),
        cr0: CR0,
        cr3: PML4,
        cr4: CR4,
        efer: EFER,
        apic_base: sregs.apic_base | APIC_ENABLED | mode,
        ..sregs
    }
}

/// Starts at `entry`, on the vCPU's stack.
pub(super) fn registers(cpu: u32, entry: u64) -> kvm_regs {
    kvm_regs {
        rip: entry,
        rsp: Layout::block(cpu) + block::STACK,
        rflags: RFLAGS,
        ..kvm_regs::default()
    }
}

fn table(base: u64, limit: u16) -> kvm_dtable {
    kvm_dtable {
        base,
        limit,
        ..kvm_dtable::default()
    }
}
