// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A guest that dies with descriptors in flight, and a server that does.

use super::super::device::{Device, Kind, Served, Vector};
use super::super::machine::Vm;
use super::super::machine::console::{Message, Values};
use super::super::report::Report;
use super::dsa::Guest;
use super::story::Story;
use super::{Setting, dsa};
use crate::failure::Failure;
use std::time::Duration;

pub(crate) const NAME: &str = "killed";

/// What a guest does until it, or its device, is killed: the device works then.
const BUSY: [&str; 7] = [
    "helper",
    "driver",
    "bind",
    "virtual",
    "memory",
    "busy:threads=4:bytes=65536:patience=2000",
    "look:as=under-way",
];

/// What it finds when its device is gone.
const AFTER: &str = "memory:as=memory-after";

/// What the next guest on the same server does.
const NEXT: [&str; 5] = [
    "helper",
    "driver",
    "bind",
    "virtual",
    "dmatest:threads=2:iterations=100",
];

/// QEMU sees that its server is gone before the guest's CPUs go on.
const MOMENT: Duration = Duration::from_millis(300);

/// Kills a guest, has another on its server, kills the server, and has another
/// server.
///
/// # Errors
/// If a guest or a server does not do what it must for checks to be made.
pub(crate) fn run(setting: &Setting<'_>, report: &mut Report) -> Result<(), Failure> {
    let mut served = dsa::serve(setting, &[])?;
    let mut vm = Guest::stock(setting, &BUSY).power_on(setting)?;
    let before = until_busy(setting, &mut vm)?;
    // SIGKILL, with whatever is under way.
    drop(vm);
    report.add(NAME, "guest killed at work", before.map(|()| Values::new()));
    report.add(NAME, "its server goes on", idle(&served));

    let (mut story, _) = dsa::boot(setting, &mut served, NAME, Guest::stock(setting, &NEXT))?;
    let done: &[(&str, &str)] = &[("failures", "0"), ("iterations", "200")];
    story.tests(NAME, &[("dmatest", done)], report);
    story.end(NAME, report);

    let order: Vec<&str> = BUSY.into_iter().chain([AFTER]).collect();
    let mut vm = Guest::stock(setting, &order).power_on(setting)?;
    let before = until_busy(setting, &mut vm)?;
    vm.paused(|| {
        served.server.kill();
        std::thread::sleep(MOMENT);
    })?;
    report.add(
        NAME,
        "server killed at work",
        before.map(|()| Values::new()),
    );
    let told = Story::listen(&mut vm, setting.progress);
    setting.keep("killed-server.log", vm.console());
    let mut story = told?;
    story.tests(NAME, &[("memory-after", &[])], report);

    // In the place of the one that was killed, whatever it left there.
    let again = dsa::serve(setting, &[])?;
    let after = again.server.served_after.as_millis().to_string();
    let value = Values::from([("ms".to_owned(), after)]);
    report.add(NAME, "restarted server takes a client", Ok(value));
    Ok(())
}

/// Hears the guest until its device works; or why it does not.
fn until_busy(setting: &Setting<'_>, vm: &mut Vm) -> Result<Result<(), String>, Failure> {
    let mut result = Ok(());
    while let Some(message) = vm.next(setting.progress)? {
        match message {
            Message::Ready { .. } => return Ok(result),
            Message::Test {
                name,
                result: Err(why),
            } => result = result.and(Err(format!("{name}: {why}"))),
            Message::Broken(text) => result = result.and(Err(text)),
            _ => {}
        }
    }
    Err(vm.failure("the guest ended before its device was at work"))
}

/// Whether nothing of a client that is gone is left in its device: no map, no
/// descriptor, no entry of the store. The server learns of the end from the socket,
/// a moment later.
fn idle(served: &Served<'_>) -> Result<Values, String> {
    let mut tries = 0..100;
    loop {
        let told = dsa::look(served).map_err(|failure| failure.to_string())?;
        if is_idle(&told) {
            return Ok(Values::from([("state".to_owned(), told.state)]));
        }
        if tries.next().is_none() {
            return Err(format!("{told:?}"));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn is_idle(device: &Device) -> bool {
    let waiting: u64 = device.queues.iter().map(|queue| queue.waiting).sum();
    let entry = |vector: &Vector| vector.kind == Kind::Ims;
    (device.maps, &device.state[..], waiting) == (0, "disabled", 0)
        && !device.vectors.iter().any(entry)
}
