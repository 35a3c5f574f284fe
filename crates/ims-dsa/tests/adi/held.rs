// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A client that fills the eventfd of vector 0 and makes it blocking again: the
//! threads that signal it are everybody's.

use std::os::fd::OwnedFd;
use std::thread;
use std::time::{Duration, Instant};

use ims_dsa::adi::{AdiConfig, Parent, ParentConfig};
use ims_dsa::layout::command::CommandRegister;
use ims_dsa::layout::registers::{CMD, GENCTRL};
use ims_dsa::layout::{Descriptor, Flags, Opcode};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use crate::guest::{Guest, RAM, SUCCESS, copy, drain};

const RECORD: u64 = RAM + 0x1000;

/// Who signals `fd` now would sleep until it is read.
fn fill(fd: &OwnedFd) {
    rustix::io::write(fd, &(u64::MAX - 1).to_ne_bytes()).unwrap();
    let flags = fcntl_getfl(fd).unwrap();
    fcntl_setfl(fd, flags - OFlags::NONBLOCK).unwrap();
}

/// Whether `done` comes to be before long; who is held is let go afterwards, so that
/// a failure is a failure and no hang.
fn soon(held: &OwnedFd, done: impl Fn() -> bool) -> bool {
    let begun = Instant::now();
    while !done() && begun.elapsed() < Duration::from_secs(10) {
        thread::sleep(Duration::from_millis(1));
    }
    let is_done = done();
    drain(held);
    is_done
}

#[test]
fn an_error_of_one_guest_does_not_hold_the_engine_of_its_neighbours() {
    let parent = Parent::new(ParentConfig {
        engines: 1,
        ims_entries: 256,
        ..ParentConfig::default()
    })
    .unwrap();
    let (guest, triggers) = Guest::enabled(&parent.compose(AdiConfig::default()).unwrap());
    let (other, _others) = Guest::enabled(&parent.compose(AdiConfig::default()).unwrap());
    guest.write32(GENCTRL, 1);
    fill(&triggers[0]);
    // Its source is nowhere, and no record can tell: an error for the register.
    let mut wrong = Descriptor::new(Opcode::MemoryMove, Flags::default());
    wrong.destination = RAM.into();
    wrong.size = 8.into();
    guest.submit(0, 0, &wrong);
    other.submit(0, 0, &copy(RAM, RAM + 64, 8, RECORD, None));
    let done = soon(&triggers[0], || other.ram.status(RECORD) == SUCCESS);
    assert!(done, "the neighbour's descriptor waits for this client");
    assert_eq!(guest.report().errors, 1);
}

#[test]
fn a_command_that_interrupts_does_not_hold_the_transports_thread() {
    let parent = crate::parent();
    let (guest, triggers) = Guest::enabled(&parent.compose(AdiConfig::default()).unwrap());
    fill(&triggers[0]);
    thread::scope(|scope| {
        let transport = scope.spawn(|| {
            let drain_all = CommandRegister::new().with_command(4).with_interrupt(true);
            guest.write32(CMD, drain_all.into_bits());
        });
        let done = soon(&triggers[0], || transport.is_finished());
        assert!(done, "the transport waits for this client");
    });
}
