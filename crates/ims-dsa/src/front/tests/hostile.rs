// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whatever software does, the device stays whole: nothing panics, every command
//! ends, and a reset leads back to a device that works.

use std::sync::atomic::Ordering;

use proptest::prelude::*;

use super::*;
use crate::layout::{Descriptor, Flags, Opcode};
use crate::testing::{interrupting, recorded, transfer};

#[derive(Debug, Clone)]
enum Step {
    Read(u64, usize),
    Write(u64, Vec<u8>),
    Store(u64, Vec<u8>),
    Command(u32),
    Submit(u8, u8, u64, u32),
    BusMasterOff,
    BusMasterOn,
    Revoke,
    Reset,
}

/// Offsets where something is, and all others.
fn offset() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 0u64..0x200,
        2 => map::GROUP_CONFIG..map::GROUP_CONFIG + 0x200,
        4 => map::QUEUE_CONFIG..map::QUEUE_CONFIG + 0x280,
        1 => map::MSIX_PERMISSIONS..0x2_0000,
        1 => any::<u64>(),
    ]
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 1..70),
        prop::sample::select(vec![1usize, 2, 4, 8, 64]).prop_map(|length| vec![0xff; length]),
        any::<u32>().prop_map(|value| value.to_le_bytes().to_vec()),
        prop::bits::u64::ANY.prop_map(|value| value.to_le_bytes().to_vec()),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (offset(), 1usize..70).prop_map(|(at, length)| Step::Read(at, length)),
        4 => (offset(), bytes()).prop_map(|(at, bytes)| Step::Write(at, bytes)),
        2 => (0u64..0x3_0000, bytes()).prop_map(|(at, bytes)| Step::Store(at, bytes)),
        6 => (0u32..16, prop_oneof![0u32..4, any::<u32>()], any::<bool>()).prop_map(
            |(code, operand, interrupt)| {
                let operand = operand & 0xf_ffff;
                Step::Command(code << 20 | operand | u32::from(interrupt) << 31)
            }
        ),
        4 => (0u8..3, any::<u8>(), 0u64..17, 0u32..0x3000).prop_map(
            |(queue, opcode, page, size)| Step::Submit(queue, opcode, page, size)
        ),
        1 => Just(Step::BusMasterOff),
        2 => Just(Step::BusMasterOn),
        1 => Just(Step::Revoke),
        1 => Just(Step::Reset),
    ]
}

fn take(driver: &Driver, step: Step) {
    match step {
        Step::Read(at, length) => {
            driver.front.read(at, &mut vec![0; length]);
        }
        Step::Write(at, bytes) => driver.front.write(at, &bytes),
        Step::Store(at, bytes) => driver.front.store(at, &bytes),
        Step::Command(register) => driver.w32(reg::CMD, register),
        Step::Submit(queue, opcode, page, size) => {
            let copy = transfer(Opcode::MemoryMove, 64, page * PAGE, 5 * PAGE, size);
            let code = Descriptor::new(opcode % 0x21, Flags::RECORD_VALID);
            driver.submit(
                queue,
                &interrupting(
                    Descriptor {
                        command: code.command,
                        ..copy
                    },
                    3,
                ),
            );
        }
        Step::BusMasterOff => {
            driver.world.bus_mastering.store(false, Ordering::SeqCst);
            driver.front.bus_master_off();
        }
        Step::BusMasterOn => driver.world.bus_mastering.store(true, Ordering::SeqCst),
        Step::Revoke => driver.front.handles_revoked(),
        Step::Reset => driver.front.reset(Hold::nobody()),
    }
}

/// Two queues, an event log, all interrupts: a device on which steps do something.
fn prepare(driver: &Driver) {
    driver.configure(0, 8);
    driver.configure(1, 8);
    driver.w64(reg::EVLCFG, 9 * PAGE);
    driver.w64(reg::EVLCFG + 8, 64);
    driver.w32(reg::GENCTRL, 7);
    driver.w32(reg::GENCFG, 1 << 13);
    driver.enable();
    assert_eq!(driver.run(Command::EnableQueue, 1), Ok(0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_device_survives_its_software(steps in prop::collection::vec(step(), 1..120)) {
        let mut memory = Paged::new(12);
        memory.missing.insert(3);
        let driver = Driver::with(Parameters::default(), memory);
        prepare(&driver);
        for step in steps {
            take(&driver, step);
        }
        // Whatever it was: after a reset it is a device.
        let (told, tell) = std::sync::mpsc::channel();
        driver.front.reset(Hold::new(move || told.send(()).unwrap()));
        tell.recv().unwrap();
        let status = driver.front.status();
        prop_assert_eq!(status.device, reg::DeviceState::Disabled);
        prop_assert!(!status.command_active && !driver.world.is_started());
        driver.world.bus_mastering.store(true, Ordering::SeqCst);
        driver.world.paged().put(64, &[0; 32]);
        prepare(&driver);
        driver.submit(1, &recorded(Opcode::NoOp, 64));
        driver.drain();
        prop_assert_eq!(driver.world.paged().record(64).status, 1);
    }

    #[test]
    fn a_configured_device_survives_too(steps in prop::collection::vec(step(), 1..60)) {
        let parameters = Parameters {
            queues: 1,
            groups: 1,
            engines: 1,
            configurable: false,
            ..Parameters::default()
        };
        let world = World::new(Paged::new(12));
        let configured = Some(Configured::default());
        let front = Front::new(parameters, Arc::clone(&world) as _, configured).unwrap();
        let driver = Driver { world, front };
        driver.enable();
        for step in steps {
            take(&driver, step);
        }
        driver.world.bus_mastering.store(true, Ordering::SeqCst);
        driver.front.reset(Hold::nobody());
        driver.world.paged().put(64, &[0; 32]);
        driver.enable();
        driver.submit(0, &recorded(Opcode::NoOp, 64));
        driver.drain();
        prop_assert_eq!(driver.world.paged().record(64).status, 1);
    }
}
