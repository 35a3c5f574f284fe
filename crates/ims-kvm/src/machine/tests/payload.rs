// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Instructions that running the code cannot show to be there: a KVM that emulates
//! forgets that an interrupt is in service, and runs too little at the same time.

use super::super::layout::Layout;
use super::super::payload::Payload;
use super::support::SMALL;

fn code(x2apic: bool) -> Vec<u8> {
    let layout = Layout::new(&SMALL).unwrap();
    Payload::new(&layout, x2apic, false).unwrap().code
}

fn count(code: &[u8], instructions: &[u8]) -> usize {
    let at = code.windows(instructions.len());
    at.filter(|window| *window == instructions).count()
}

#[test]
fn both_handlers_end_the_interrupt_in_both_modes() {
    // mov rcx, 0xfee000b0; mov dword ptr [rcx], 0
    let xapic = [
        0x48, 0xb9, 0xb0, 0x00, 0xe0, 0xfe, 0, 0, 0, 0, 0xc7, 0x01, 0, 0, 0, 0,
    ];
    // mov rcx, 0x80b; mov eax, 0; xor edx, edx; wrmsr
    let x2apic = [
        0x48, 0xb9, 0x0b, 0x08, 0, 0, 0, 0, 0, 0, 0xb8, 0, 0, 0, 0, 0x31, 0xd2, 0x0f, 0x30,
    ];
    assert_eq!(count(&code(false), &xapic), 2);
    assert_eq!(count(&code(true), &x2apic), 2);
    assert_eq!(count(&code(true), &xapic) + count(&code(false), &x2apic), 0);
}

#[test]
fn counts_that_two_cpus_share_are_locked() {
    // lock inc qword ptr [rbx + rcx * 8 + ...]
    assert_eq!(count(&code(false), &[0xf0, 0x48, 0xff, 0x84, 0xcb]), 1);
}
