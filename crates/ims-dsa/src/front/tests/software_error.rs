// SPDX-License-Identifier: Apache-2.0 OR MIT
//! SWERROR: the first error stays.

use super::*;
use crate::layout::{Descriptor, Flags, Opcode, Status};
use crate::testing::{recorded, transfer};

/// A copy without a record, from a page that is not there.
fn faulting() -> Descriptor {
    let mut copy = transfer(Opcode::MemoryMove, 0, 3 * PAGE + 8, 2 * PAGE, 64);
    copy.command = Descriptor::new(Opcode::MemoryMove, Flags::NONE).command;
    copy
}

fn driver() -> Driver {
    let mut memory = Paged::new(16);
    memory.missing.insert(3);
    Driver::enabled_with(Parameters::default(), memory, 16)
}

#[test]
fn a_fault_that_no_record_tells_is_in_swerror() {
    let driver = driver();
    driver.w32(reg::GENCTRL, 1);
    driver.submit(0, &faulting());
    driver.drain();
    let word = driver.r64(reg::SWERROR);
    // Valid, descriptor and queue valid; page fault, read; queue 0; memory move.
    assert_eq!(word, 0b1101 | 3 << 8 | 3 << 32);
    assert_eq!(driver.r64(reg::SWERROR + 8), 0);
    assert_eq!(driver.r64(reg::SWERROR + 16), 3 * PAGE + 8);
    assert_eq!(driver.r64(reg::SWERROR + 24), 0);
    assert_ne!(driver.r32(reg::INTCAUSE) & cause::SOFTWARE_ERROR, 0);
    assert_eq!(driver.front.status().errors, 1);
}

#[test]
fn the_first_error_stays_and_more_are_an_overflow() {
    let driver = driver();
    driver.w32(reg::GENCTRL, 1);
    driver.submit(0, &faulting());
    driver.drain();
    let first = driver.r64(reg::SWERROR);
    let seen = driver.world.misc();
    // The queue that is not enabled.
    driver.submit(5, &recorded(Opcode::NoOp, 64));
    assert_eq!(driver.r64(reg::SWERROR), first | 2);
    assert_eq!(driver.world.misc(), seen);
    // Overflow alone, then valid with the rest.
    driver.w32(reg::SWERROR, 2);
    assert_eq!(driver.r64(reg::SWERROR), first);
    driver.w64(reg::SWERROR, 1);
    for at in 0..4 {
        assert_eq!(driver.r64(reg::SWERROR + 8 * at), 0);
    }
    driver.w32(reg::INTCAUSE, u32::MAX);
    driver.submit(5, &recorded(Opcode::NoOp, 64));
    assert_eq!(driver.r64(reg::SWERROR), 0b1101 | 0x53 << 8 | 5 << 16);
    assert_eq!(driver.world.misc(), seen + 1);
}

#[test]
fn an_error_interrupts_only_if_enabled() {
    let driver = driver();
    let seen = driver.world.misc();
    driver.submit(5, &recorded(Opcode::NoOp, 64));
    assert_eq!(driver.r64(reg::SWERROR) & 1, 1);
    assert_eq!(driver.r32(reg::INTCAUSE) & cause::SOFTWARE_ERROR, 0);
    assert_eq!(driver.world.misc(), seen);
}

#[test]
fn errors_of_a_batch_tell_their_index_and_flags() {
    let driver = driver();
    let mut inner = Descriptor::new(Opcode::NoOp, Flags::CHECK_RESULT);
    driver.world.paged().put(4 * PAGE, &driver::bytes(&inner));
    driver
        .world
        .paged()
        .put(4 * PAGE + 64, &driver::bytes(&inner));
    inner = transfer(Opcode::Batch, 64, 4 * PAGE, 0, 2);
    driver.submit(0, &inner);
    driver.drain();
    let word = driver.r64(reg::SWERROR);
    let status = u64::from(Status::InvalidFlags.code());
    // Two errors: the second was an overflow.
    assert_eq!(word & 0xff1f, 0b1_1111 | status << 8);
    let detail = driver.r64(reg::SWERROR + 8);
    assert_eq!(detail, u64::from(Flags::CHECK_RESULT.bits()) << 32);
}
