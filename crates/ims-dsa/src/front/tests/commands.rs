// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Commands whose end is told at once, and what they leave behind.

use std::sync::atomic::Ordering;

use super::*;
use crate::layout::Opcode;
use crate::layout::command::{CommandRegister, HandleOperand, QueueMask};
use crate::layout::registers::DeviceState;
use crate::layout::tables::queue;
use crate::testing::recorded;

#[test]
fn what_is_no_command_is_refused() {
    let driver = Driver::new();
    for code in [0u8, 15, 31] {
        driver.w32(reg::INTCAUSE, u32::MAX);
        let register = CommandRegister::new()
            .with_command(code)
            .with_interrupt(true);
        driver.w32(reg::CMD, register.into_bits());
        assert_eq!(driver.finish(), Err(CommandError::InvalidCommand.code()));
    }
}

#[test]
fn a_command_interrupts_only_if_asked() {
    let driver = Driver::new();
    driver.w32(reg::CMD, 5 << 20);
    assert_eq!(driver.status().into_bits(), 0);
    assert_eq!(driver.r32(reg::INTCAUSE), 0);
    assert_eq!(driver.world.misc(), 0);
    assert_eq!(driver.run(Command::ResetDevice, 0), Ok(0));
    assert_eq!(driver.world.misc(), 1);
}

#[test]
fn handles_are_the_machines() {
    let driver = Driver::new();
    let operand = |ims, number| HandleOperand::new().with_ims(ims).with_number(number);
    let request = |ims, index| driver.run(Command::RequestHandle, operand(ims, index).into_bits());
    let release =
        |ims, handle| driver.run(Command::ReleaseHandle, operand(ims, handle).into_bits());
    assert_eq!(request(true, 3), Ok(103));
    assert_eq!(request(false, 1), Ok(201));
    assert_eq!(request(true, 4), Err(CommandError::InvalidInterrupt.code()));
    assert_eq!(request(false, 2), Err(CommandError::NoHandle.code()));
    assert_eq!(release(true, 103), Ok(0));
    assert_eq!(
        release(false, 103),
        Err(CommandError::InvalidInterrupt.code())
    );
}

#[test]
fn handle_commands_exist_only_where_announced() {
    let parameters = Parameters {
        interrupt_handles: false,
        ..Parameters::default()
    };
    let driver = Driver::with(parameters, Paged::new(1));
    let error = CommandError::InvalidCommand.code();
    assert_eq!(driver.run(Command::RequestHandle, 0x1_0000), Err(error));
    assert_eq!(driver.run(Command::ReleaseHandle, 0x1_0064), Err(error));
}

#[test]
fn commands_of_an_enabled_device_are_refused_by_a_disabled_one() {
    let driver = Driver::new();
    let not_enabled = Err(CommandError::NotEnabled.code());
    assert_eq!(driver.run(Command::DisableDevice, 0), not_enabled);
    for command in [
        Command::DrainAll,
        Command::AbortAll,
        Command::DrainPasid,
        Command::AbortPasid,
        Command::DisableQueue,
        Command::DrainQueue,
        Command::AbortQueue,
        Command::ResetQueue,
    ] {
        let error = CommandError::QueueNotEnabled.code();
        assert_eq!(driver.run(command, 1), Err(error), "{command:?}");
    }
}

#[test]
fn a_mask_names_queues_that_exist_and_are_enabled() {
    let driver = Driver::enabled(16);
    let mask = |block, mask| {
        QueueMask::new()
            .with_block(block)
            .with_mask(mask)
            .into_bits()
    };
    for command in [
        Command::DrainQueue,
        Command::AbortQueue,
        Command::DisableQueue,
        Command::ResetQueue,
    ] {
        for (operand, error) in [
            (mask(0, 1 << 8), CommandError::InvalidQueue),
            (mask(1, 1), CommandError::InvalidQueue),
            (mask(15, 0x8000), CommandError::InvalidQueue),
            (mask(0, 3), CommandError::QueueNotEnabled),
        ] {
            assert_eq!(driver.run(command, operand), Err(error.code()));
            assert!(driver.queue_is_enabled(0));
        }
    }
    assert_eq!(driver.run(Command::DrainQueue, mask(0, 1)), Ok(0));
    assert_eq!(driver.run(Command::AbortQueue, mask(0, 1)), Ok(0));
    assert!(driver.queue_is_enabled(0));
    assert_eq!(driver.run(Command::DisableQueue, mask(0, 1)), Ok(0));
    assert!(!driver.queue_is_enabled(0));
    assert_eq!(driver.run(Command::EnableQueue, 0), Ok(0));
}

#[test]
fn reset_queue_forgets_all_but_the_size() {
    let driver = Driver::enabled(16);
    let at = driver.queue_config(0);
    assert_eq!(driver.run(Command::ResetQueue, 1), Ok(0));
    assert!(!driver.queue_is_enabled(0));
    assert_eq!(driver.r32(at + queue::SIZE), 16);
    assert_eq!(driver.r32(at + queue::MODE), 0);
    assert_eq!(driver.r32(at + queue::LIMITS), 0);
    // Written again, it works again: its size needs no other state of the device.
    driver.configure(0, 16);
    assert_eq!(driver.run(Command::EnableQueue, 0), Ok(0));
    driver.submit(0, &recorded(Opcode::NoOp, 64));
    driver.drain();
    assert_eq!(driver.world.paged().record(64).status, 1);
}

#[test]
fn disable_and_enable_again_keeps_the_configuration() {
    let driver = Driver::enabled(16);
    assert_eq!(driver.run(Command::DisableDevice, 0), Ok(0));
    assert_eq!(driver.device_state(), DeviceState::Disabled);
    assert!(!driver.queue_is_enabled(0));
    assert!(!driver.world.is_started());
    assert_eq!(driver.world.resets.load(Ordering::SeqCst), 0);
    driver.enable();
    driver.submit(0, &recorded(Opcode::NoOp, 64));
    driver.drain();
    assert_eq!(driver.world.paged().record(64).status, 1);
}

#[test]
fn reset_device_forgets_everything() {
    let driver = Driver::enabled(16);
    driver.w32(reg::GENCTRL, 7);
    assert_eq!(driver.run(Command::ResetDevice, 0), Ok(0));
    assert_eq!(driver.device_state(), DeviceState::Disabled);
    assert_eq!(driver.r32(reg::GENCTRL), 0);
    assert_eq!(driver.r32(driver.queue_config(0)), 0);
    assert_eq!(driver.r64(map::GROUP_CONFIG), 0);
    assert_eq!(driver.world.resets.load(Ordering::SeqCst), 1);
    assert!(!driver.world.is_started());
    driver.configure(0, 16);
    driver.enable();
}

#[test]
fn occupancy_is_read_from_the_engines_queue() {
    let driver = Driver::new();
    driver.world.engines_run.store(false, Ordering::SeqCst);
    driver.configure(0, 16);
    driver.enable();
    for _ in 0..3 {
        driver.submit(0, &recorded(Opcode::NoOp, 64));
    }
    let state = driver.r32(driver.queue_config(0) + queue::STATE);
    assert_eq!(state, 1 << 30 | 3);
    let status = driver.front.status();
    assert_eq!(status.queues[0].occupancy, 3);
    assert_eq!(status.queues[0].submitted, 3);
    assert_eq!(status.queues[1].size, 0);
}
