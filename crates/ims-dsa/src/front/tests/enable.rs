// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Every reason to refuse Enable Device and Enable Queue.

use std::sync::atomic::Ordering;

use super::*;
use crate::layout::OperationSet;
use crate::layout::tables::{GROUP_ENGINES, GROUP_FLAGS, GroupFlags, QueueModeWord, queue};
use crate::queue_config::Mode;

const GROUP_1: u64 = map::GROUP_CONFIG + tables::GROUP_CONFIG_SIZE;
const DEDICATED: QueueModeWord = QueueModeWord::new().with_dedicated(true);

/// A device whose configuration was changed by `change` refuses with `error`, and
/// takes it when nothing was.
fn refuses(error: CommandError, change: impl FnOnce(&Driver)) {
    refuses_with(Parameters::default(), error, change);
}

fn refuses_with(parameters: Parameters, error: CommandError, change: impl FnOnce(&Driver)) {
    let driver = Driver::with(parameters, Paged::new(1));
    driver.configure(0, 16);
    change(&driver);
    assert_eq!(driver.run(Command::EnableDevice, 0), Err(error.code()));
    assert!(!driver.world.is_started());
    assert_eq!(driver.device_state(), reg::DeviceState::Disabled);
}

#[test]
fn a_device_is_enabled_once() {
    let driver = Driver::enabled(16);
    let error = CommandError::DeviceEnabled.code();
    assert_eq!(driver.run(Command::EnableDevice, 0), Err(error));
    assert_eq!(driver.r32(reg::GENSTS), 1);
}

#[test]
fn bus_mastering_must_be_on() {
    refuses(CommandError::BusMaster, |driver| {
        driver.world.bus_mastering.store(false, Ordering::SeqCst);
    });
}

#[test]
fn an_event_log_must_have_a_size_and_no_pasid() {
    refuses(CommandError::Configuration, |driver| {
        driver.w32(reg::GENCFG, 1 << 13);
        driver.w32(reg::EVLCFG + 8, 63);
    });
    refuses(CommandError::Pasid, |driver| {
        driver.w32(reg::GENCFG, 1 << 13);
        driver.w32(reg::EVLCFG, 1);
        driver.w32(reg::EVLCFG + 8, 64);
    });
}

#[test]
fn sizes_add_up_to_what_there_is() {
    refuses(CommandError::TotalQueueSize, |driver| {
        driver.configure(1, 113);
    });
    let driver = Driver::new();
    driver.configure(0, 16);
    driver.configure(1, 112);
    assert_eq!(driver.run(Command::EnableDevice, 0), Ok(0));
}

#[test]
fn every_queue_and_engine_is_in_one_group_that_has_both() {
    let refused = |change: &dyn Fn(&Driver)| refuses(CommandError::Groups, change);
    // A queue, or an engine, twice.
    refused(&|driver| {
        driver.w64(GROUP_1, 1);
        driver.w64(GROUP_1 + GROUP_ENGINES, 2);
    });
    refused(&|driver| {
        driver.configure(1, 16);
        driver.w64(GROUP_1 + GROUP_ENGINES, 3);
    });
    // A group without engine, or without queue.
    refused(&|driver| {
        driver.configure(1, 16);
        driver.w64(GROUP_1 + GROUP_ENGINES, 0);
    });
    refused(&|driver| driver.w64(GROUP_1 + GROUP_ENGINES, 2));
    // A queue with a size in no group, and one without in a group.
    refused(&|driver| driver.w32(driver.queue_config(1), 16));
    refused(&|driver| driver.w64(map::GROUP_CONFIG, 3));
}

#[test]
fn read_buffers_are_checked_as_hardware_does() {
    let flags = |driver: &Driver, flags: GroupFlags| {
        driver.w64(map::GROUP_CONFIG + GROUP_FLAGS, flags.into_bits());
    };
    let all = GroupFlags::new().with_read_buffers_allowed(96);
    let limited = all.with_read_buffer_limit(true);
    refuses(CommandError::ReadBufferLimit, |driver| {
        flags(driver, limited);
    });
    refuses(CommandError::ReadBufferLimit, |driver| {
        flags(driver, limited);
        driver.w32(reg::GENCFG, 97);
    });
    refuses(CommandError::ReadBuffersReserved, |driver| {
        flags(driver, all.with_read_buffers_reserved(97));
    });
    for (allowed, reserved) in [(3, 0), (97, 0), (5, 6)] {
        refuses(CommandError::ReadBuffersAllowed, |driver| {
            let allowed = GroupFlags::new().with_read_buffers_allowed(allowed);
            flags(driver, allowed.with_read_buffers_reserved(reserved));
        });
    }
    let driver = Driver::new();
    driver.configure(0, 16);
    flags(&driver, limited.with_read_buffers_reserved(96));
    driver.w32(reg::GENCFG, 96);
    assert_eq!(driver.run(Command::EnableDevice, 0), Ok(0));
}

#[test]
fn what_the_machine_refuses_is_refused() {
    refuses(CommandError::Hardware, |driver| {
        *driver.world.refuse_start.lock().unwrap() = Some(CommandError::Hardware);
    });
}

#[test]
fn engines_are_made_as_configured() {
    let driver = Driver::new();
    driver.configure(0, 16);
    driver.configure(2, 8);
    assert_eq!(driver.run(Command::EnableDevice, 0), Ok(0));
    let configs = driver.world.configs.lock().unwrap();
    assert_eq!(configs[0].engines, [Some(0), None, Some(2), None]);
    let queues = &configs[0].queues;
    let sizes: Vec<u16> = queues.iter().map(|queue| queue.size).collect();
    assert_eq!(sizes, [16, 0, 8, 0, 0, 0, 0, 0]);
    assert_eq!(queues[2].group, 2);
}

#[test]
fn a_queue_needs_an_enabled_device_and_is_enabled_once() {
    let driver = Driver::new();
    driver.configure(0, 16);
    let enable = || driver.run(Command::EnableQueue, 0);
    assert_eq!(enable(), Err(CommandError::DeviceNotEnabled.code()));
    assert_eq!(driver.run(Command::EnableDevice, 0), Ok(0));
    assert_eq!(enable(), Ok(0));
    assert_eq!(enable(), Err(CommandError::QueueEnabled.code()));
    for number in [8, 255, 256, 0xf_ffff] {
        let error = CommandError::InvalidQueue.code();
        assert_eq!(driver.run(Command::EnableQueue, number), Err(error));
    }
    assert_eq!(
        driver.run(Command::EnableQueue, 1),
        Err(CommandError::QueueSize.code())
    );
}

#[test]
fn a_queues_own_registers_are_checked() {
    let parameters = Parameters {
        block_on_fault: false,
        max_batch_shift: 6,
        max_transfer_shift: 22,
        ..Parameters::default()
    };
    let driver = Driver::with(parameters.clone(), Paged::new(1));
    driver.configure(0, 16);
    assert_eq!(driver.run(Command::EnableDevice, 0), Ok(0));
    let at = driver.queue_config(0);
    let refused = |driver: &Driver, offset, value: u32, error: CommandError| {
        let good = driver.r32(at + offset);
        driver.w32(at + offset, value);
        assert_eq!(driver.run(Command::EnableQueue, 0), Err(error.code()));
        assert!(!driver.queue_is_enabled(0));
        driver.w32(at + offset, good);
    };
    let mode = |driver: &Driver, mode: QueueModeWord, error| {
        refused(driver, queue::MODE, mode.into_bits(), error);
    };
    let one = DEDICATED.with_priority(1);
    mode(&driver, DEDICATED, CommandError::QueuePriority);
    mode(&driver, one.with_dedicated(false), CommandError::QueueMode);
    let blocks = one.with_block_on_fault(true);
    mode(&driver, blocks, CommandError::QueueBlockOnFault);
    mode(
        &driver,
        one.with_pasid_enable(true),
        CommandError::QueuePasid,
    );
    refused(&driver, queue::LIMITS, 7 << 5, CommandError::QueueBatch);
    refused(&driver, queue::LIMITS, 23, CommandError::QueueTransfer);
    assert_eq!(driver.run(Command::EnableQueue, 0), Ok(0));

    let pasids = Parameters {
        pasids: true,
        ..parameters
    };
    let driver = Driver::with(pasids, Paged::new(1));
    driver.configure(0, 16);
    assert_eq!(driver.run(Command::EnableDevice, 0), Ok(0));
    let shared = one.with_dedicated(false);
    mode(&driver, shared, CommandError::QueuePasid);
    let shared = shared.with_pasid_enable(true);
    driver.w32(at + queue::MODE, shared.into_bits());
    refused(&driver, queue::THRESHOLD, 0, CommandError::QueueMode);
    refused(&driver, queue::THRESHOLD, 17, CommandError::QueueMode);
    driver.w32(at + queue::THRESHOLD, 16);
    assert_eq!(driver.run(Command::EnableQueue, 0), Ok(0));
}

#[test]
fn a_queue_is_as_its_registers_say() {
    let parameters = Parameters {
        pasids: true,
        ..Parameters::default()
    };
    let words = &mut [0; 16];
    let config = |words: &[u32; 16]| check::queue(&parameters, words, 3).unwrap();
    words[0] = 12;
    words[1] = 5;
    words[2] = DEDICATED
        .with_priority(9)
        .with_block_on_fault(true)
        .with_pasid_enable(true)
        .with_pasid(77)
        .into_bits();
    words[3] = 4 << 5 | 20;
    words[8] = 1 << 3 | 1 << 30;
    let dedicated = config(words);
    assert_eq!((dedicated.group, dedicated.size), (3, 12));
    assert_eq!((dedicated.threshold, dedicated.priority), (12, 9));
    assert_eq!(
        dedicated.mode,
        Mode::Dedicated {
            owner: Pasid::new(77)
        }
    );
    assert_eq!(dedicated.limits.max_transfer_shift, 20);
    assert_eq!(dedicated.limits.max_batch_shift, 4);
    assert_eq!(dedicated.limits.operations, OperationSet::from_bits(1 << 3));
    assert!(dedicated.limits.block_on_fault);
    words[2] &= !1;
    let shared = config(words);
    assert_eq!((shared.mode, shared.threshold), (Mode::Shared, 5));
}
