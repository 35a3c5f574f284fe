// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The event log: entries in memory, head and tail, and what is done when it is
//! full or cannot be written.

use super::*;
use crate::SoftwareError;
use crate::layout::{Completion, Descriptor, Flags, Opcode, Status};
use crate::testing::{Gate, transfer};

/// The log's entries, as in Linux' default.
const ENTRIES: u16 = 64;
const LOG: u64 = 8 * PAGE;

/// A copy without a record, from a page that is not there.
fn faulting() -> Descriptor {
    let mut copy = transfer(Opcode::MemoryMove, 0, 3 * PAGE + 8, 2 * PAGE, 64);
    copy.command = Descriptor::new(Opcode::MemoryMove, Flags::NONE).command;
    copy
}

fn driver() -> Driver {
    let mut memory = Paged::new(16);
    memory.missing.insert(3);
    memory.missing.insert(14);
    let driver = Driver::with(Parameters::default(), memory);
    driver.configure(0, 100);
    with_log(&driver, LOG);
    driver
}

fn with_log(driver: &Driver, at: u64) {
    driver.w64(reg::EVLCFG, at);
    driver.w64(reg::EVLCFG + 8, ENTRIES.into());
    driver.w32(reg::GENCTRL, 4);
    driver.w32(reg::GENCFG, 1 << 13);
    driver.enable();
}

fn fail(driver: &Driver, count: u16) {
    for _ in 0..count {
        driver.submit(0, &faulting());
    }
    driver.drain();
}

fn tail(driver: &Driver) -> u32 {
    driver.r32(reg::EVLSTATUS + 4) & 0xffff
}

fn is_pending(driver: &Driver) -> bool {
    driver.r32(reg::EVLSTATUS + 4) >> 30 & 1 != 0
}

fn entry(driver: &Driver, index: u64) -> Vec<u64> {
    let bytes = driver.world.paged().get(LOG + 64 * index, 64);
    let words = bytes.chunks_exact(8);
    words
        .map(|word| u64::from_le_bytes(word.try_into().unwrap()))
        .collect()
}

#[test]
fn an_error_becomes_an_entry_and_an_interrupt() {
    let driver = driver();
    fail(&driver, 1);
    assert_eq!(tail(&driver), 1);
    assert!(is_pending(&driver));
    assert_ne!(driver.r32(reg::INTCAUSE) & cause::EVENT_LOG, 0);
    assert_eq!(driver.r64(reg::SWERROR), 0);
    let entry = entry(&driver, 0);
    // Descriptor, queue and detail valid; page fault; memory move.
    assert_eq!(entry[0], 0b1000_1100 | 3 << 8 | 3 << 32);
    assert_eq!(entry[2], 3 * PAGE + 8);
    // Its record: status, nothing done, the address.
    assert_eq!(entry[4], u64::from(Status::PageFault.code()));
    assert_eq!(entry[5], 3 * PAGE + 8);
}

#[test]
fn software_takes_note_as_linux_does() {
    let driver = driver();
    fail(&driver, 2);
    let seen = driver.world.misc();
    // No second interrupt before the first is taken note of.
    driver.w32(reg::INTCAUSE, u32::MAX);
    driver.submit(0, &faulting());
    driver.drain();
    assert_eq!(driver.world.misc(), seen + 1);
    // The upper half first, by itself, then the head.
    driver.w32(reg::EVLSTATUS + 4, 1 << 30);
    assert!(!is_pending(&driver));
    assert_eq!(tail(&driver), 3);
    driver.w32(reg::EVLSTATUS, 3);
    assert_eq!(driver.r64(reg::EVLSTATUS), 3 << 32 | 3);
    driver.w32(reg::INTCAUSE, u32::MAX);
    fail(&driver, 1);
    assert!(is_pending(&driver));
}

#[test]
fn a_full_log_overflows_into_swerror_and_loses_nothing_it_has() {
    let driver = driver();
    fail(&driver, ENTRIES - 1);
    assert_eq!(tail(&driver), u32::from(ENTRIES) - 1);
    assert_eq!(driver.r64(reg::SWERROR), 0);
    let kept = entry(&driver, 0);
    fail(&driver, 2);
    assert_eq!(tail(&driver), u32::from(ENTRIES) - 1);
    assert_eq!(driver.r64(reg::SWERROR) & 0xff0f, 0b1111 | 3 << 8);
    assert_eq!(entry(&driver, 0), kept);
    // Room again: it goes round.
    driver.w32(reg::EVLSTATUS, 2);
    fail(&driver, 2);
    assert_eq!(tail(&driver), 1);
}

#[test]
fn a_log_that_cannot_be_written_is_no_log() {
    let mut memory = Paged::new(16);
    memory.missing.insert(3);
    for at in [14 * PAGE, u64::MAX << 12] {
        memory.missing.insert(14);
        let driver = Driver::with(Parameters::default(), memory);
        driver.configure(0, 16);
        with_log(&driver, at);
        fail(&driver, 1);
        assert_eq!(tail(&driver), 0);
        assert_eq!(driver.r64(reg::SWERROR) & 0xff0f, 0b1101 | 3 << 8);
        memory = Paged::new(16);
        memory.missing.insert(3);
    }
}

#[test]
fn a_hostile_head_is_a_place_in_the_log() {
    let driver = driver();
    for head in [0xffff, 64, 65, 1000] {
        driver.w32(reg::EVLSTATUS, head);
        fail(&driver, 3);
    }
    assert!(tail(&driver) < u32::from(ENTRIES));
}

#[test]
fn many_engines_write_whole_entries() {
    let driver = Driver::with(Parameters::default(), {
        let mut memory = Paged::new(16);
        memory.missing.insert(3);
        memory
    });
    let group = map::GROUP_CONFIG;
    driver.configure(0, 60);
    driver.w64(group + tables::GROUP_ENGINES, 0xf);
    with_log(&driver, LOG);
    fail(&driver, 60);
    assert_eq!(tail(&driver), 60);
    let first = entry(&driver, 0);
    assert!((1..60).all(|index| entry(&driver, index) == first));
    assert_eq!(entry(&driver, 60), [0; 8]);
}

#[test]
fn the_log_is_empty_when_the_device_is_enabled_again() {
    let driver = driver();
    fail(&driver, 5);
    driver.w32(reg::EVLSTATUS, 3);
    assert_eq!(driver.run(Command::DisableDevice, 0), Ok(0));
    driver.enable();
    assert_eq!(driver.r64(reg::EVLSTATUS), 0);
}

#[test]
fn errors_are_in_swerror_while_memory_is_not_to_be_touched() {
    let gate = Arc::new(Gate::default());
    let mut memory = Paged {
        gate: Some((1, Arc::clone(&gate))),
        ..Paged::new(16)
    };
    memory.read_only.insert(2);
    let driver = Driver::with(Parameters::default(), memory);
    driver.configure(0, 16);
    with_log(&driver, LOG);
    let mut copy = transfer(Opcode::MemoryMove, 0, PAGE, 2 * PAGE, 64);
    copy.command = Descriptor::new(Opcode::MemoryMove, Flags::NONE).command;
    driver.submit(0, &copy);
    gate.wait_for_arrivals(1);
    let memory = driver.world.memory.lock().unwrap().take();
    gate.open();
    driver.drain();
    *driver.world.memory.lock().unwrap() = memory;
    assert_eq!(tail(&driver), 0);
    // A write fault: bit 5.
    assert_eq!(driver.r64(reg::SWERROR) & 0xff3f, 0b10_1101 | 3 << 8);
}

#[test]
fn errors_of_a_run_that_was_reset_are_nobodys() {
    let driver = driver();
    let log = driver.front.log(driver.front.lock().run);
    let error = SoftwareError {
        status: Status::PageFault,
        queue: 0,
        pasid: None,
        opcode: 3,
        batch_index: None,
        fault: None,
        invalid_flags: Flags::NONE,
        handle: None,
        flags: Flags::NONE,
        record: Completion::default(),
    };
    log.report(error);
    assert_eq!(tail(&driver), 1);
    for command in [Command::DisableDevice, Command::ResetDevice] {
        assert_eq!(driver.run(command, 0), Ok(0));
        log.report(error);
    }
    driver.front.reset(Hold::nobody());
    log.report(error);
    assert_eq!(driver.r64(reg::SWERROR), 0);
    assert_eq!(driver.front.status().errors, 1);
}
