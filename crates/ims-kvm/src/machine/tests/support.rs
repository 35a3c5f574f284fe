// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A machine for a test, or the reason why there is none.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use ims::message::{Compatibility, DeliveryMode, Destination, Message, RequesterId, Trigger};
use ims::sink::{Answer, MessageSink};

use super::super::{Bus, Config, Irqchip, Machine, MachineError};
use crate::{Composer, Signal};

/// Nothing on the bus.
pub(super) struct Nothing;

impl Bus for Nothing {}

pub(super) const SMALL: Config = Config {
    vcpus: 4,
    irqchip: Irqchip::InKernel,
    x2apic: false,
    words: 16,
    memory: 0,
    notify: false,
};

/// A machine; says that the test is skipped if there is no KVM.
pub(super) fn machine(test: &str, config: Config, bus: Arc<dyn Bus>) -> Option<Machine> {
    match Machine::start(config, bus) {
        Ok(machine) => Some(machine),
        Err(
            error @ (MachineError::NoKvm(_)
            | MachineError::Lacks { .. }
            | MachineError::Vcpus { .. }),
        ) => {
            eprintln!("SKIPPED machine::tests::{test}: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

pub(super) fn signal(machine: &Machine) -> Signal {
    Signal::new(
        Arc::clone(machine.vm()),
        Composer {
            addressing: machine.addressing(),
            device_ids: false,
        },
    )
}

/// Sends a message; whether it was accepted.
pub(super) fn message(signal: &Signal, message: Message) -> bool {
    matches!(signal.send(RequesterId(0), message), Answer::Accepted(_))
}

pub(super) fn send(machine: &Machine, signal: &Signal, cpu: u32, vector: u8) {
    assert!(message(signal, machine.message(cpu, vector)));
}

pub(super) fn compatibility(id: u32, vector: u8) -> Compatibility {
    Compatibility {
        destination: Destination {
            id,
            logical: false,
            redirection_hint: false,
        },
        delivery: DeliveryMode::Fixed,
        trigger: Trigger::Edge,
        vector,
    }
}

/// Whether a source's posts are all counted, if only `cpu` scans it at `vector`.
pub(super) fn handled(machine: &Machine, cpu: u32, vector: u8, source: u32) -> bool {
    !machine.is_posted(source) && !machine.in_handler(cpu, vector)
}

/// Waits for what must come, and gives up only long after.
pub(super) fn wait(what: &str, mut come: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !come() {
        assert!(Instant::now() < until, "{what}");
        thread::sleep(Duration::from_micros(50));
    }
}
