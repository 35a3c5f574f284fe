// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Resets, bus mastering and clients that go, while engines work.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use ims_dsa::front::{Parameters, map};
use ims_dsa::layout::Opcode;
use ims_dsa::layout::command::Command;
use ims_dsa::layout::registers::{DeviceState, GENSTS, SWERROR};
use ims_vfio::Hold;

use crate::client::{Client, Eventfds};
use crate::driver::{BASE, Rig, hold, interrupting, memory_move, recorded, until};
use crate::memory::{Gate, PAGE, Ram};

/// The gated page.
const GATED: u64 = 40;

/// An enabled function whose engines are held in the middle of their copies, and
/// that has more descriptors waiting.
fn held(engines: u32) -> (Rig, Arc<Gate>) {
    let (ram, gate) = Ram::gated(64, GATED);
    let rig = Rig::with(Parameters::default(), ram);
    rig.enable(1, engines, 0);
    rig.program(0, (0xfee0_0000, 1));
    let handle = rig.ims_handle(0);
    for number in 0..u64::from(engines) + 4 {
        let copy = memory_move(
            BASE + number * 32,
            BASE + GATED * PAGE,
            BASE + 0x3000 + number * 64,
            64,
        );
        rig.submit(0, 2, number, &interrupting(copy, handle));
    }
    gate.wait_for_arrivals(engines as usize);
    (rig, gate)
}

/// Where the PCI Express capability's device control is.
fn device_control(rig: &Rig) -> u64 {
    let config = &rig.endpoint.function().config;
    let read = |offset: u64| {
        let mut bytes = [0; 2];
        config.read(offset, &mut bytes);
        bytes
    };
    let mut at = read(0x34)[0];
    while read(at.into())[0] != 0x10 {
        at = read(at.into())[1];
        assert_ne!(at, 0, "no PCI Express");
    }
    u64::from(at) + 8
}

#[test]
fn a_function_level_reset_waits_for_engines_and_nothing_is_written_after_it() {
    let (rig, gate) = held(2);
    let before = rig.ram.get(0, (GATED * PAGE) as usize);
    let (hold, gone) = hold();
    rig.write_config(device_control(&rig), 1 << 15, hold);
    assert!(!gone.load(Ordering::SeqCst), "engines are inside yet");
    // As after power-on, at once.
    assert_eq!(rig.state(), DeviceState::Disabled as u32);
    assert_eq!(rig.read32(ims_dsa::front::map::IMS + 12), 1);
    gate.open();
    until("engines let go", || gone.load(Ordering::SeqCst));
    let after = rig.ram.get(0, (GATED * PAGE) as usize);
    assert!(before == after, "something was written");
    assert_eq!(rig.client.messages(), []);
    assert_eq!(rig.read64(SWERROR), 0, "what was given up is no error");
    assert!(!rig.endpoint.function().config.bus_master());
    // And it works again.
    rig.bus_master(true);
    rig.enable(1, 2, 0);
    rig.submit(0, 0, 0, &recorded(Opcode::NoOp, BASE + 0x800));
    assert_eq!(rig.record(BASE + 0x800).status, 1);
}

#[test]
fn a_reset_of_an_idle_function_is_over_at_once() {
    let rig = Rig::new();
    rig.enable(4, 4, 0);
    let (hold, gone) = hold();
    rig.endpoint.reset(hold);
    until("it is over", || gone.load(Ordering::SeqCst));
    assert_eq!(rig.state(), DeviceState::Disabled as u32);
}

#[test]
fn without_bus_mastering_an_enabled_device_halts_until_it_is_reset() {
    let (rig, gate) = held(2);
    let misc = rig.eventfds.signals(0);
    // Interrupts at errors and halts.
    rig.write32(ims_dsa::layout::registers::GENCTRL, 0b11);
    let (hold, gone) = hold();
    rig.write_config(4, 0b010, hold);
    assert_eq!(
        rig.read32(GENSTS) & 0xf,
        DeviceState::Halted as u32 | 1 << 2
    );
    let error = rig.read64(SWERROR);
    assert_eq!((error & 1, error >> 8 & 0xff), (1, 0x51));
    assert!(!gone.load(Ordering::SeqCst));
    gate.open();
    until("memory is let go", || gone.load(Ordering::SeqCst));
    until("the interrupts", || rig.eventfds.signals(0) >= misc + 2);
    assert_eq!(
        rig.client.messages(),
        [],
        "no message without bus mastering"
    );
    assert_ne!(rig.command(Command::EnableDevice, 0).error(), 0);
    rig.write_config(device_control(&rig), 1 << 15, Hold::nobody());
    rig.bus_master(true);
    rig.enable(1, 1, 0);
}

#[test]
fn what_a_client_left_behind_does_not_reach_the_next_one() {
    let (rig, gate) = held(2);
    // Half a descriptor, too.
    let whole = recorded(Opcode::NoOp, BASE + 0x900);
    let bytes = zerocopy::IntoBytes::as_bytes(&whole);
    rig.write(2, 63 * 64, &bytes[..32]);
    let (hold, gone) = hold();
    rig.endpoint.detach(hold);
    assert!(!gone.load(Ordering::SeqCst), "the old memory is in use yet");
    let arrivals = rig.client.messages();
    gate.open();
    until("nobody uses it", || gone.load(Ordering::SeqCst));

    let client = Arc::<Client>::default();
    rig.endpoint.attach(client.clone());
    let ram = Ram::new(64);
    rig.endpoint.function().dma.map(ram.map(BASE)).unwrap();
    let eventfds = Eventfds::give(&rig.endpoint, 9);
    // It is as after power-on: the other half of a descriptor meets none, and no
    // entry of the store has the old one's message.
    assert_eq!(rig.state(), DeviceState::Disabled as u32);
    let mut entry = [0; 12];
    rig.endpoint.read(0, map::IMS, &mut entry).unwrap();
    assert_eq!(entry, [0; 12]);
    rig.bus_master(true);
    rig.enable(1, 2, 0);
    rig.write(2, 63 * 64 + 32, &bytes[32..]);
    rig.submit(0, 0, 0, &recorded(Opcode::NoOp, BASE + 0x1000));
    until("the new one's descriptor", || ram.get(0x1000, 1) == [1]);
    rig.done(Command::DrainAll, 0);
    let mut expected = vec![0; (64 * PAGE) as usize];
    expected[0x1000] = 1;
    assert!(ram.all() == expected, "only its own record");
    assert_eq!(
        (client.messages(), rig.client.messages()),
        (vec![], arrivals)
    );
    assert_eq!(eventfds.signals(0), 0);
    assert_eq!(rig.read64(SWERROR), 0);
}

#[test]
fn a_function_that_is_dropped_waits_for_no_engine_and_leaves_none_behind() {
    let (rig, gate) = held(2);
    let (client, ram) = (rig.client.clone(), rig.ram.clone());
    // The engines cannot end yet.
    let dropper = std::thread::spawn(move || drop(rig));
    until("dropped", || dropper.is_finished());
    assert!(Arc::strong_count(&client) > 1 || Arc::strong_count(&ram) > 1);
    gate.open();
    until("engines and all they hold are gone", || {
        Arc::strong_count(&client) == 1 && Arc::strong_count(&ram) == 1
    });
    assert_eq!(client.messages(), []);
}
