// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What Linux' idxd driver does, access by access, from probe to remove.

use super::*;
use crate::layout::Opcode;
use crate::layout::command::CommandStatus;
use crate::layout::registers::TableOffsets;
use crate::testing::{interrupting, recorded};

/// Runs a command as the driver does while it cannot take interrupts yet.
fn polled(driver: &Driver, command: Command, operand: u32) -> CommandStatus {
    driver.w32(reg::CMD, u32::from(command as u8) << 20 | operand);
    loop {
        let status = driver.status();
        if !status.active() {
            return status;
        }
        std::thread::yield_now();
    }
}

/// Waits for the miscellaneous interrupt, takes note of its causes.
fn commanded(driver: &Driver, command: Command, operand: u32) -> CommandStatus {
    let seen = driver.world.misc();
    let code = u32::from(command as u8) << 20 | operand;
    driver.w32(reg::CMD, code | 1 << 31);
    driver.world.wait_beyond(seen);
    let causes = driver.r32(reg::INTCAUSE);
    assert_eq!(causes, cause::COMMAND);
    driver.w32(reg::INTCAUSE, causes);
    driver.status()
}

const DONE: CommandStatus = CommandStatus::new();

struct Tables {
    group: u64,
    queue: u64,
    ims: u64,
}

fn probe(driver: &Driver) -> Tables {
    assert_ne!(driver.r32(reg::VERSION), u32::MAX);
    assert_ne!(driver.r32(reg::GENSTS) & 3, 3);
    assert_eq!(polled(driver, Command::ResetDevice, 0), DONE);
    let general = driver.r64(reg::GENCAP);
    assert_ne!(general >> 4 & 1, 0);
    assert_eq!(driver.r32(reg::CMDCAP) & 0x7ffe, 0x7ffe);
    assert_eq!(driver.r64(reg::GRPCAP) & 0xff, 4);
    assert_eq!(driver.r64(reg::ENGCAP) & 0xff, 4);
    assert_eq!(driver.r64(reg::WQCAP) >> 16 & 0xff, 8);
    for quad in 0..4 {
        driver.r64(reg::OPCAP + 8 * quad);
    }
    let low = u128::from(driver.r64(reg::OFFSETS));
    let high = u128::from(driver.r64(reg::OFFSETS + 8));
    let offsets = TableOffsets::from_bits(low | high << 64);
    assert_eq!(offsets.perfmon(), 0);
    let control = driver.r32(reg::GENCTRL);
    driver.w32(reg::GENCTRL, control | 3);
    let place = |unit: u16| u64::from(unit) * reg::OFFSET_UNIT;
    Tables {
        group: place(offsets.group_config()),
        queue: place(offsets.queue_config()),
        ims: place(offsets.ims()),
    }
}

fn write_queue(driver: &Driver, tables: &Tables) {
    let mut words: Vec<u32> = (0..16)
        .map(|at| driver.r32(tables.queue + 4 * at))
        .collect();
    words[0] = 16;
    words[1] = 0;
    words[2] = 1 | 10 << 4;
    words[3] = 21 | 5 << 5;
    let operations = driver.r64(reg::OPCAP).to_le_bytes();
    let (low, high) = operations.split_at(4);
    words[8] = u32::from_le_bytes(low.try_into().unwrap());
    words[9] = u32::from_le_bytes(high.try_into().unwrap());
    for (at, word) in (0..).zip(words) {
        driver.w32(tables.queue + 4 * at, word);
    }
}

fn configure(driver: &Driver, tables: &Tables) {
    write_queue(driver, tables);
    driver.w64(tables.group, 1);
    for at in 1..4 {
        driver.w64(tables.group + 8 * at, 0);
    }
    driver.w64(tables.group + 32, 1);
    driver.w64(tables.group + 40, 0x60 << 20 | 1 << 3 | 1);
    driver.w64(reg::EVLCFG, 8 * PAGE);
    driver.w64(reg::EVLCFG + 8, 64);
    let control = driver.r32(reg::GENCTRL);
    driver.w32(reg::GENCTRL, control | 4);
    let general = driver.r32(reg::GENCFG);
    driver.w32(reg::GENCFG, general | 1 << 13);
}

#[test]
fn idxd_probes_works_and_goes() {
    let driver = Driver::new();
    let tables = probe(&driver);
    configure(&driver, &tables);
    for round in 0..3 {
        assert_eq!(commanded(&driver, Command::EnableDevice, 0), DONE);
        write_queue(&driver, &tables);
        assert_eq!(commanded(&driver, Command::EnableQueue, 0), DONE);
        let handle = commanded(&driver, Command::RequestHandle, 1);
        assert_eq!((handle.error(), handle.result()), (0, 201));
        for slot in 0..64 {
            let descriptor = interrupting(recorded(Opcode::NoOp, 64), handle.result());
            driver.store(0, 1, slot, &descriptor);
            if slot % 8 == 7 {
                assert_eq!(commanded(&driver, Command::DrainQueue, 1), DONE);
            }
        }
        let raised = driver.world.recorder.raised.lock().unwrap().len();
        assert_eq!(raised, 64 * (round + 1));
        let released = polled(&driver, Command::ReleaseHandle, 201);
        // The machine of these tests releases those of the message store only.
        assert_eq!(released.error(), CommandError::InvalidInterrupt.code());
        assert_eq!(commanded(&driver, Command::DrainQueue, 1), DONE);
        assert_eq!(commanded(&driver, Command::ResetQueue, 1), DONE);
        assert_eq!(commanded(&driver, Command::DisableDevice, 0), DONE);
        if round == 1 {
            assert_eq!(commanded(&driver, Command::ResetDevice, 0), DONE);
            assert_eq!(driver.r32(reg::GENCTRL), 0);
            driver.w32(reg::GENCTRL, 3);
            configure(&driver, &tables);
        } else {
            write_queue(&driver, &tables);
        }
    }
    assert_eq!(driver.r64(reg::SWERROR), 0);
    driver.w32(tables.ims + 12, 5);
    assert_eq!(driver.r32(tables.ims + 12), 5);
}
