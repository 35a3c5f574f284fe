// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Whose handle is good, and for how long.

use ims_dsa::front::Parameters;
use ims_dsa::layout::command::{Command, CommandError};
use ims_dsa::layout::registers::{INTCAUSE, cause};
use ims_dsa::layout::{Opcode, Status};
use ims_dsa::physical::VectorKind;

use crate::driver::{BASE, Rig, interrupting, recorded, until};
use crate::memory::Ram;

const MESSAGE: (u64, u32) = (0xfee0_1000, 7);
const INVALID: u8 = Status::InvalidHandle as u8;
const SUCCESS: u8 = Status::Success as u8;

#[test]
fn a_handle_that_is_another_pasids_ends_the_descriptor_with_0x19_and_raises_nothing() {
    let parameters = Parameters {
        pasids: true,
        ..Parameters::default()
    };
    let rig = Rig::with(parameters, Ram::new(64));
    // The queue's PASID is 5.
    rig.enable(1, 2, 5 << 8 | 1 << 28);
    let own = 5 << 12 | 1 << 3;
    let table = [
        (own, SUCCESS),
        (6 << 12 | 1 << 3, INVALID),
        (0, INVALID),
        (own | 1 << 2, INVALID),
    ];
    for (index, (control, status)) in (0..).zip(table) {
        rig.program_control(index, MESSAGE, control);
        let handle = rig.ims_handle(index as u32);
        let record = BASE + index * 32;
        let nothing = recorded(Opcode::NoOp, record);
        rig.submit(0, 2, index, &interrupting(nothing, handle));
        assert_eq!(rig.record(record).status, status, "entry {index}");
    }
    until("the good one", || rig.client.messages() == [MESSAGE]);
}

#[test]
fn handles_are_asked_for_and_given_back() {
    let rig = Rig::new();
    rig.enable(1, 1, 0);
    let error = |command, operand| rig.command(command, operand).error();
    let (invalid, request) = (
        CommandError::InvalidInterrupt.code(),
        Command::RequestHandle,
    );
    assert_eq!(error(request, 9), invalid);
    assert_eq!(error(request, 1 << 16 | 2048), invalid);
    let release = |handle: u16| error(Command::ReleaseHandle, 1 << 16 | u32::from(handle));
    let handle = rig.ims_handle(2047);
    assert_eq!(rig.ims_handle(2047), handle);
    assert_eq!((release(handle), release(handle)), (0, invalid));
    let nothing = recorded(Opcode::NoOp, BASE);
    rig.submit(0, 2, 0, &interrupting(nothing, handle));
    assert_eq!(rig.record(BASE).status, INVALID);
}

#[test]
fn revoked_handles_are_told_of_and_new_ones_work() {
    let rig = Rig::new();
    rig.enable(1, 1, 0);
    rig.program(1, MESSAGE);
    let old = rig.ims_handle(1);
    let vector = rig.msix_handle(1);
    let before = rig.eventfds.signals(0);
    assert_eq!(rig.function.revoke_handles(), 2);
    assert_ne!(rig.read32(INTCAUSE) & cause::HANDLES_REVOKED, 0);
    assert_eq!(rig.eventfds.signals(0), before + 1);
    assert_eq!(rig.function.revoke_handles(), 0);
    for (page, handle) in [(0, vector), (2, old)] {
        let record = BASE + page * 32;
        let nothing = recorded(Opcode::NoOp, record);
        rig.submit(0, page, page, &interrupting(nothing, handle));
        assert_eq!(rig.record(record).status, INVALID);
    }
    let new = rig.ims_handle(1);
    assert_ne!(new, old);
    let nothing = recorded(Opcode::NoOp, BASE + 0x100);
    rig.submit(0, 2, 5, &interrupting(nothing, new));
    assert_eq!(rig.record(BASE + 0x100).status, SUCCESS);
    until("its message", || rig.client.messages() == [MESSAGE]);
    assert_eq!(rig.vector(VectorKind::Ims, 1).handle, Some(new));
}

#[test]
fn without_the_commands_a_handle_is_an_index() {
    let parameters = Parameters {
        interrupt_handles: false,
        ..Parameters::default()
    };
    let rig = Rig::with(parameters, Ram::new(64));
    rig.enable(1, 1, 0);
    let status = rig.command(Command::RequestHandle, 1);
    assert_eq!(status.error(), CommandError::InvalidCommand.code());
    rig.program(700, MESSAGE);
    for (page, handle) in [(0, 8), (3, 700)] {
        let record = BASE + page * 32;
        let nothing = recorded(Opcode::NoOp, record);
        rig.submit(0, page, page, &interrupting(nothing, handle));
        assert_eq!(rig.record(record).status, SUCCESS);
    }
    until("both", || {
        rig.client.messages() == [MESSAGE] && rig.eventfds.signals(8) == 1
    });
    assert_eq!(rig.function.revoke_handles(), 0);
}
