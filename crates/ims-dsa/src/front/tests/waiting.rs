// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A command ends when engines have let go, and not before.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::layout::registers::DeviceState;
use crate::layout::{Descriptor, Opcode};
use crate::testing::{Gate, recorded, transfer};

/// Where the held copy's record goes.
const RECORD: u64 = 64;

/// A device of which an engine is held in the middle of a copy.
struct Held {
    driver: Driver,
    gate: Arc<Gate>,
}

fn copy() -> Descriptor {
    transfer(Opcode::MemoryMove, RECORD, PAGE, 2 * PAGE, 64)
}

impl Held {
    fn new() -> Self {
        let gate = Arc::new(Gate::default());
        let memory = Paged {
            gate: Some((1, Arc::clone(&gate))),
            ..Paged::new(16)
        };
        let driver = Driver::enabled_with(Parameters::default(), memory, 16);
        driver.submit(0, &copy());
        gate.wait_for_arrivals(1);
        Self { driver, gate }
    }

    /// `command` is active until the engine is let go.
    fn waits(&self, command: Command, operand: u32) {
        let driver = &self.driver;
        let before = driver.world.misc();
        driver.begin(command, operand);
        assert!(driver.status().active());
        assert_eq!(driver.world.misc(), before);
        assert_eq!(driver.world.paged().record(RECORD).status, 0);
        self.gate.open();
        assert_eq!(driver.finish(), Ok(0));
    }

    fn record(&self) -> u8 {
        self.driver.world.paged().record(RECORD).status
    }
}

#[test]
fn drains_end_with_what_they_wait_for() {
    for (command, operand) in [(Command::DrainAll, 0), (Command::DrainQueue, 1)] {
        let held = Held::new();
        held.waits(command, operand);
        assert_eq!(held.record(), 1);
        assert!(held.driver.queue_is_enabled(0));
    }
}

#[test]
fn aborts_end_when_the_engine_has_given_up() {
    for (command, operand) in [(Command::AbortAll, 0), (Command::AbortQueue, 1)] {
        let held = Held::new();
        // It waits behind the held one, and is never started.
        held.driver.store(0, 1, 1, &recorded(Opcode::NoOp, 128));
        held.waits(command, operand);
        assert_eq!(held.driver.world.paged().record(128).status, 0);
        assert!(held.driver.queue_is_enabled(0));
    }
}

#[test]
fn a_queue_is_disabled_when_it_is_empty() {
    let held = Held::new();
    held.driver.begin(Command::DisableQueue, 1);
    assert!(held.driver.status().active());
    assert!(held.driver.queue_is_enabled(0));
    // It takes nothing more already.
    held.driver.submit(0, &recorded(Opcode::NoOp, 128));
    assert_eq!(held.driver.front.status().queues[0].refused, 1);
    held.gate.open();
    assert_eq!(held.driver.finish(), Ok(0));
    assert!(!held.driver.queue_is_enabled(0));
    assert_eq!(held.record(), 1);
}

#[test]
fn reset_queue_waits_too() {
    let held = Held::new();
    held.waits(Command::ResetQueue, 1);
    assert!(!held.driver.queue_is_enabled(0));
}

#[test]
fn disable_device_drains() {
    let held = Held::new();
    let driver = &held.driver;
    driver.begin(Command::DisableDevice, 0);
    assert!(driver.status().active());
    assert_eq!(driver.device_state(), DeviceState::Draining);
    assert_eq!(driver.r32(reg::GENSTS), 2);
    held.gate.open();
    assert_eq!(driver.finish(), Ok(0));
    assert_eq!(held.record(), 1);
    assert_eq!(driver.device_state(), DeviceState::Disabled);
    assert!(!driver.world.is_started());
}

#[test]
fn reset_device_gives_up_and_waits() {
    let held = Held::new();
    held.driver.store(0, 1, 1, &recorded(Opcode::NoOp, 128));
    held.waits(Command::ResetDevice, 0);
    assert_eq!(held.driver.world.paged().record(128).status, 0);
    assert_eq!(held.driver.device_state(), DeviceState::Disabled);
    assert_eq!(held.driver.world.resets.load(Ordering::SeqCst), 1);
}

#[test]
fn a_second_command_is_an_error_and_is_ignored() {
    let held = Held::new();
    let driver = &held.driver;
    driver.begin(Command::DrainAll, 0);
    driver.w32(reg::CMD, 5 << 20);
    assert!(driver.status().active());
    assert_eq!(driver.r64(reg::SWERROR) & 0xff01, 0x5201);
    held.gate.open();
    assert_eq!(driver.finish(), Ok(0));
    assert_eq!(driver.device_state(), DeviceState::Enabled);
    assert_eq!(driver.world.resets.load(Ordering::SeqCst), 0);
}

fn flag() -> (Arc<AtomicBool>, Hold) {
    let gone = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&gone);
    (gone, Hold::new(move || told.store(true, Ordering::SeqCst)))
}

#[test]
fn a_reset_supersedes_whatever_command_is_active() {
    let commands = [
        (Command::DrainAll, 0),
        (Command::AbortAll, 0),
        (Command::DisableQueue, 1),
        (Command::ResetQueue, 1),
        (Command::DisableDevice, 0),
        (Command::ResetDevice, 0),
    ];
    for (command, operand) in commands {
        let held = Held::new();
        let driver = &held.driver;
        driver.begin(command, operand);
        let (gone, hold) = flag();
        let misc = driver.world.misc();
        driver.front.reset(hold);
        assert!(!gone.load(Ordering::SeqCst), "{command:?}");
        assert_eq!(driver.status().into_bits(), 0);
        assert_eq!(driver.device_state(), DeviceState::Disabled);
        assert_eq!(driver.r32(driver.queue_config(0)), 0);
        // Configured anew, it is not enabled before the old engine has let go.
        driver.configure(0, 16);
        driver.begin(Command::EnableDevice, 0);
        assert!(driver.status().active());
        assert!(!driver.world.is_started());
        assert_eq!(driver.world.misc(), misc);
        held.gate.open();
        assert_eq!(driver.finish(), Ok(0));
        assert!(gone.load(Ordering::SeqCst));
        // Of the superseded command nobody hears.
        assert_eq!(driver.world.misc(), misc + 1);
        assert_eq!(driver.device_state(), DeviceState::Enabled);
        assert_eq!(driver.run(Command::EnableQueue, 0), Ok(0));
    }
}

#[test]
fn resets_follow_each_other_and_all_are_told() {
    let held = Held::new();
    let driver = &held.driver;
    let flags: Vec<_> = (0..5)
        .map(|_| {
            let (gone, hold) = flag();
            driver.front.reset(hold);
            driver.configure(0, 16);
            driver.begin(Command::EnableDevice, 0);
            gone
        })
        .collect();
    assert!(flags.iter().all(|gone| !gone.load(Ordering::SeqCst)));
    held.gate.open();
    assert_eq!(driver.finish(), Ok(0));
    assert!(flags.iter().all(|gone| gone.load(Ordering::SeqCst)));
    assert_eq!(driver.world.configs.lock().unwrap().len(), 2);
}

#[test]
fn a_reset_in_the_middle_of_enabling_leaves_nothing_started() {
    let driver = Driver::new();
    driver.configure(0, 16);
    let front = Arc::clone(&driver.front);
    *driver.world.in_start.lock().unwrap() = Some(Box::new(move || front.reset(Hold::nobody())));
    driver.w32(reg::CMD, 1 << 20);
    assert!(!driver.world.is_started());
    assert_eq!(driver.device_state(), DeviceState::Disabled);
    assert_eq!(driver.status().into_bits(), 0);
}

#[test]
fn a_front_may_go_while_a_command_waits() {
    let held = Held::new();
    held.driver.begin(Command::DrainAll, 0);
    let Driver { world, front } = held.driver;
    drop(front);
    held.gate.open();
    let (gone, hold) = flag();
    world.stop(hold);
    while !gone.load(Ordering::SeqCst) {
        std::thread::yield_now();
    }
}

#[test]
fn commands_about_a_pasid_concern_it_alone() {
    let gate = Arc::new(Gate::default());
    let memory = Paged {
        gate: Some((1, Arc::clone(&gate))),
        ..Paged::new(16)
    };
    let parameters = Parameters {
        pasids: true,
        ..Parameters::default()
    };
    let driver = Driver::with(parameters, memory);
    driver.configure(0, 16);
    let shared = tables::QueueModeWord::new().with_pasid_enable(true);
    driver.configure_queue(0, 16, shared);
    driver.enable();
    let submit = |pasid: u32, descriptor: Descriptor| {
        let trusted = pasid.into();
        driver.submit(
            0,
            &Descriptor {
                trusted,
                ..descriptor
            },
        );
    };
    submit(1, copy());
    gate.wait_for_arrivals(1);
    submit(2, recorded(Opcode::NoOp, 128));
    submit(3, recorded(Opcode::NoOp, 192));
    // What waits of PASID 2 is dropped at once, of the held one nothing is awaited.
    assert_eq!(driver.run(Command::AbortPasid, 2), Ok(0));
    driver.begin(Command::DrainPasid, 3);
    assert!(driver.status().active());
    gate.open();
    assert_eq!(driver.finish(), Ok(0));
    driver.drain();
    let status = |at| driver.world.paged().record(at).status;
    assert_eq!((status(RECORD), status(128), status(192)), (1, 0, 1));
}
