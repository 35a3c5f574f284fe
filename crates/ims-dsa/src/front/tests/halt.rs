// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Bus mastering goes off under an enabled device.

use std::sync::atomic::Ordering;

use super::*;
use crate::layout::Opcode;
use crate::layout::registers::DeviceState;
use crate::testing::{Gate, recorded, transfer};

#[test]
fn a_halted_device_says_why_and_needs_a_function_level_reset() {
    let driver = Driver::enabled(16);
    driver.w32(reg::GENCTRL, 3);
    driver.world.bus_mastering.store(false, Ordering::SeqCst);
    driver.front.bus_master_off();
    assert_eq!(driver.r64(reg::SWERROR) & 0xffff, 0x5101);
    assert_eq!(driver.r32(reg::GENSTS), 3 | 1 << 2);
    while driver.r32(reg::INTCAUSE) & cause::HALT == 0 {
        std::thread::yield_now();
    }
    assert_ne!(driver.r32(reg::INTCAUSE) & cause::SOFTWARE_ERROR, 0);
    assert!(!driver.world.is_started());
    for (command, error) in [
        (Command::EnableDevice, CommandError::DeviceEnabled),
        (Command::DisableDevice, CommandError::NotEnabled),
        (Command::ResetDevice, CommandError::Hardware),
        (Command::DrainAll, CommandError::QueueNotEnabled),
        (Command::EnableQueue, CommandError::DeviceNotEnabled),
        (Command::DisableQueue, CommandError::QueueNotEnabled),
    ] {
        assert_eq!(driver.run(command, 0), Err(error.code()), "{command:?}");
    }
    driver.submit(0, &recorded(Opcode::NoOp, 64));
    assert_eq!(driver.world.paged().record(64).status, 0);
    driver.front.reset(Hold::nobody());
    driver.world.bus_mastering.store(true, Ordering::SeqCst);
    assert_eq!(driver.r32(reg::GENSTS), 0);
    assert_eq!(driver.r64(reg::SWERROR), 0);
    driver.configure(0, 16);
    driver.enable();
}

#[test]
fn the_halt_interrupt_comes_when_engines_have_let_go() {
    let gate = Arc::new(Gate::default());
    let memory = Paged {
        gate: Some((1, Arc::clone(&gate))),
        ..Paged::new(16)
    };
    let driver = Driver::enabled_with(Parameters::default(), memory, 16);
    driver.w32(reg::GENCTRL, 2);
    driver.submit(0, &transfer(Opcode::MemoryMove, 64, PAGE, 2 * PAGE, 64));
    gate.wait_for_arrivals(1);
    // A command waits for it, too: it ends, and does not undo the halt.
    driver.begin(Command::DisableDevice, 0);
    let seen = driver.world.misc();
    driver.front.bus_master_off();
    assert_eq!(driver.world.misc(), seen);
    assert_eq!(driver.device_state(), DeviceState::Halted);
    gate.open();
    let ended = driver.finish();
    assert_eq!(ended, Ok(0));
    while driver.r32(reg::INTCAUSE) & cause::HALT == 0 {
        std::thread::yield_now();
    }
    assert_eq!(driver.device_state(), DeviceState::Halted);
}

#[test]
fn a_disabled_device_does_not_mind() {
    let driver = Driver::new();
    driver.front.bus_master_off();
    assert_eq!(driver.r32(reg::GENSTS), 0);
    assert_eq!(driver.r64(reg::SWERROR), 0);
}

#[test]
fn bus_mastering_that_goes_off_while_enabling_is_noticed() {
    let driver = Driver::new();
    driver.configure(0, 16);
    let world = Arc::clone(&driver.world);
    *driver.world.in_start.lock().unwrap() = Some(Box::new(move || {
        world.bus_mastering.store(false, Ordering::SeqCst);
    }));
    driver.w32(reg::CMD, 1 << 20);
    assert_eq!(driver.device_state(), DeviceState::Halted);
    assert!(!driver.world.is_started());
}
