// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A device that software finds configured.

use std::sync::atomic::Ordering;

use super::*;
use crate::layout::Opcode;
use crate::layout::registers::GeneralCapabilities;
use crate::layout::tables::{GROUP_ENGINES, QueueModeWord, queue};
use crate::testing::recorded;

fn parameters() -> Parameters {
    Parameters {
        queues: 1,
        groups: 1,
        engines: 2,
        queue_entries: 32,
        vectors: 2,
        configurable: false,
        ims_entries: 0,
        ..Parameters::default()
    }
}

const CONFIGURED: Configured = Configured {
    queue_size: 32,
    engines: 2,
    priority: 4,
    block_on_fault: true,
};

fn driver() -> Driver {
    let world = World::new(Paged::new(16));
    let front = Front::new(parameters(), Arc::clone(&world) as _, Some(CONFIGURED)).unwrap();
    Driver { world, front }
}

#[test]
fn it_can_be_read_and_nothing_but_the_submitter_be_written() {
    let driver = driver();
    let general = GeneralCapabilities::from_bits(driver.r64(reg::GENCAP));
    assert!(!general.configurable());
    let at = driver.queue_config(0);
    let mode = QueueModeWord::new()
        .with_dedicated(true)
        .with_priority(4)
        .with_block_on_fault(true);
    let check = |mode: QueueModeWord| {
        assert_eq!(driver.r64(map::GROUP_CONFIG), 1);
        assert_eq!(driver.r64(map::GROUP_CONFIG + GROUP_ENGINES), 3);
        assert_eq!(driver.r32(at + queue::SIZE), 32);
        assert_eq!(driver.r32(at + queue::THRESHOLD), 32);
        assert_eq!(driver.r32(at + queue::LIMITS), 10 << 5 | 31);
        assert_eq!(driver.r32(at + queue::MODE), mode.into_bits());
        // Neither its mode nor anything else may be chosen.
        assert_eq!(driver.r32(at + queue::STATE), 0);
    };
    check(mode);
    for offset in (0..64).step_by(4) {
        driver.w32(at + offset, u32::MAX);
        driver.w32(map::GROUP_CONFIG + offset, u32::MAX);
    }
    driver.w32(reg::GENCFG, u32::MAX);
    assert_eq!(driver.r32(reg::GENCFG), 1 << 13);
    check(
        mode.with_pasid(0xf_ffff)
            .with_pasid_enable(true)
            .with_privileged(true),
    );
    assert_eq!(driver.run(Command::ResetDevice, 0), Ok(0));
    check(mode);
}

#[test]
fn it_is_enabled_as_it_is_and_submits_as_the_machine_says() {
    let driver = driver();
    driver.world.submitter.store(7, Ordering::SeqCst);
    driver.enable();
    let config = driver.world.configs.lock().unwrap().pop().unwrap();
    assert_eq!(config.engines, [Some(0), Some(0)]);
    assert_eq!(config.queues[0].size, 32);
    // The machine's queue is left as the machine made it: its owner is another.
    driver.submit(0, &recorded(Opcode::NoOp, 64));
    driver.drain();
    assert_eq!(driver.world.paged().record(64).status, 0);
    assert_eq!(driver.r64(reg::SWERROR) & 0xff00, 0x5300);
    driver.world.submitter.store(0, Ordering::SeqCst);
    assert_eq!(driver.run(Command::ResetQueue, 1), Ok(0));
    assert_eq!(driver.run(Command::EnableQueue, 0), Ok(0));
    driver.submit(0, &recorded(Opcode::NoOp, 64));
    driver.drain();
    assert_eq!(driver.world.paged().record(64).status, 1);
}

#[test]
fn a_pasid_that_software_writes_is_refused_where_there_are_none() {
    let driver = driver();
    assert_eq!(driver.run(Command::EnableDevice, 0), Ok(0));
    let mode = QueueModeWord::new().with_pasid_enable(true).with_pasid(3);
    driver.w32(driver.queue_config(0) + queue::MODE, mode.into_bits());
    let error = CommandError::QueuePasid.code();
    assert_eq!(driver.run(Command::EnableQueue, 0), Err(error));
}

#[test]
fn what_registers_cannot_say_is_refused() {
    let with =
        |configured| Front::new(parameters(), World::new(Paged::new(1)), configured).map(drop);
    assert_eq!(with(None), Err(ParameterError::NotConfigured));
    for wrong in [
        Configured {
            queue_size: 0,
            ..CONFIGURED
        },
        Configured {
            queue_size: 33,
            ..CONFIGURED
        },
        Configured {
            engines: 3,
            ..CONFIGURED
        },
        Configured {
            priority: 16,
            ..CONFIGURED
        },
    ] {
        let refused = with(Some(wrong));
        assert!(matches!(refused, Err(ParameterError::Range { .. })));
    }
    let parameters = Parameters {
        block_on_fault: false,
        ..parameters()
    };
    let refused = Front::new(parameters, World::new(Paged::new(1)), Some(CONFIGURED)).map(drop);
    assert_eq!(refused, Err(ParameterError::BlockOnFault));
}
