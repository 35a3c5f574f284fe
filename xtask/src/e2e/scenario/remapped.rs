// SPDX-License-Identifier: Apache-2.0 OR MIT
//! With interrupt remapping: all 4096 interrupts, and then the device dies.

use super::super::device::Server;
use super::super::machine::console::{Message, Values};
use super::super::machine::{Config, Unit, Vm};
use super::super::report::Report;
use super::Setting;
use super::story::Story;
use crate::failure::Failure;
use std::time::Duration;

const NAME: &str = "remapped";

/// What a CPU has for devices is about 200 vectors; 4096 need 21 CPUs, and MSI-X,
/// timers and a kernel's own devices some more.
const CPUS: u32 = 24;

/// The handle that the guest's module knows to be absent, and the reason with
/// which a unit refuses it (VT-d: 22h, the entry's Present is clear).
const ABSENT: (u32, u8) = (0xfff0, 0x22);

/// What the guest does, and what it must find.
const TESTS: [(&str, &[(&str, &str)]); 8] = [
    ("registers", &[("slots", "4096")]),
    ("msix", &[("vectors", "16"), ("dynamic", "15")]),
    ("spread", &[("interrupts", "4096"), ("cpus", "24")]),
    ("move", &[("slot", "unchanged")]),
    ("hold", &[("delivered", "1")]),
    ("reuse", &[]),
    ("absent", &[("refused", "1")]),
    ("gone", &[]),
];

/// The last test: it waits for the device to die.
const LAST: &str = "gone";

/// A server that is killed here, before the guest's CPUs go on, is closed when
/// QEMU looks again: its main loop takes a moment to see that.
const MOMENT: Duration = Duration::from_millis(300);

/// Boots, tests, kills the device's server, and starts it anew. Returns the new
/// server, which the next scenario uses.
///
/// # Errors
/// If the guest or the server does not do what it must for checks to be made.
pub(crate) fn run(setting: &Setting<'_>, report: &mut Report) -> Result<Server, Failure> {
    let socket = setting.socket();
    let mut server = Server::start(setting.program, &socket)?;
    let names = TESTS.map(|(name, _)| name);
    let mut vm = Vm::start(&Config {
        devices: &[&socket],
        cpus: CPUS,
        unit: Unit::Remapping,
        ..setting.config(&setting.guests.store, &names)
    })?;
    let told = listen(&mut vm, &mut server, setting);
    setting.keep("remapped.log", vm.console());
    setting.keep("remapped-server.log", server.text());
    let mut story = told?;
    story.tests(NAME, &TESTS, report);
    story.faults(NAME, &[ABSENT], report);
    story.end(NAME, report);
    vm.ended_well()?;

    // In the place of the one that was killed.
    let again = Server::start(setting.program, &socket)?;
    let after = again.served_after.as_millis().to_string();
    report.add(
        NAME,
        "restarted server takes a client",
        Ok(Values::from([("ms".to_owned(), after)])),
    );
    Ok(again)
}

fn listen(vm: &mut Vm, server: &mut Server, setting: &Setting<'_>) -> Result<Story, Failure> {
    let mut story = Story::default();
    let mut killed = false;
    while let Some(message) = vm.next(setting.progress)? {
        match &message {
            Message::Ready { test } if test == LAST => {
                if !server.runs() {
                    let said = server.text().to_owned();
                    return Err(vm.failure(&format!("the device server ended: {said}")));
                }
                vm.paused(|| {
                    server.kill();
                    std::thread::sleep(MOMENT);
                })?;
                killed = true;
            }
            Message::Test { name, .. } if name != LAST && !server.runs() => {
                let said = server.text().to_owned();
                return Err(vm.failure(&format!("the device server ended: {said}")));
            }
            _ => {}
        }
        story.hear(message);
    }
    if killed {
        return Ok(story);
    }
    Err(vm.failure("the guest ended before its device was killed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_tested_after_the_device_is_gone() {
        assert_eq!(TESTS.last().unwrap().0, LAST);
    }

    #[test]
    fn the_number_of_cpus_is_the_one_that_is_checked() {
        let spread = TESTS.iter().find(|test| test.0 == "spread").unwrap();
        assert!(spread.1.contains(&("cpus", &CPUS.to_string()[..])));
    }
}
