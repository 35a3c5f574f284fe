// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A guest of four CPUs with virtio devices, each served by a process of its own.

use super::super::device::Server;
use super::super::machine::console::Values;
use super::super::machine::{Config, Unit, Vm};
use super::super::report::Report;
use super::Setting;
use super::story::Story;
use crate::command::answer;
use crate::failure::Failure;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// So that each queue can have a CPU.
const CPUS: u32 = 4;

/// Bytes of a disk: enough for what is written, and soon summed up.
const DISK: u64 = 16 << 20;

/// How long a boot may take. Five times what it takes on two busy cores.
const LIMIT: Duration = Duration::from_secs(150);

/// A device, as its server is told of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Device<'a> {
    pub(super) transport: &'a str,
    pub(super) options: &'a [&'a str],
    pub(super) kind: Kind,
}

/// What it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A disk.
    Block,
    /// A source of entropy.
    Entropy,
}

/// What is booted, done and checked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan<'a> {
    pub(super) name: &'static str,
    pub(super) devices: &'a [Device<'a>],
    pub(super) unit: Unit,
    /// What the kernel is told.
    pub(super) kernel: &'a [&'a str],
    /// Verbs, each with the name its test goes by and what it must find.
    pub(super) tests: &'a [Test<'a>],
}

/// A verb; what it says it is; values that it must find.
pub(super) type Test<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);

/// The test whose sum of the disk's bytes is that of the first device's file here.
pub(super) const SUM: Test<'static> = ("sum", "sum", &[]);

/// Boots and tests.
///
/// # Errors
/// If the guest or a server does not do what it must for checks to be made.
pub(super) fn run(
    setting: &Setting<'_>,
    plan: Plan<'_>,
    report: &mut Report,
) -> Result<(), Failure> {
    let mut served = Vec::new();
    for (number, device) in plan.devices.iter().enumerate() {
        served.push(Served::start(setting, number, device)?);
    }
    let sockets: Vec<&Path> = served.iter().map(|one| one.socket.as_path()).collect();
    let verbs: Vec<&str> = plan.tests.iter().map(|test| test.0).collect();
    let mut vm = Vm::start(&Config {
        devices: &sockets,
        cpus: CPUS,
        unit: plan.unit,
        kernel: plan.kernel,
        limit: LIMIT,
        ..setting.config(&setting.guests.virtio, &verbs)
    })?;
    let told = Story::listen(&mut vm, setting.progress);
    setting.keep(&format!("{}.log", plan.name), vm.console());
    for (number, one) in served.iter_mut().enumerate() {
        let name = format!("{}-server{number}.log", plan.name);
        setting.keep(&name, one.server.text());
    }
    let mut story = told?;
    let sum = story
        .found(SUM.1)
        .and_then(|found| found.get("sum"))
        .cloned();
    let wanted: Vec<_> = plan.tests.iter().map(|test| (test.1, test.2)).collect();
    story.tests(plan.name, &wanted, report);
    if let Some(first) = served.first() {
        let result = first.same(setting, sum.as_deref());
        report.add(plan.name, "the disk is the file", result);
    }
    story.faults(plan.name, &[], report);
    story.end(plan.name, report);
    vm.ended_well()?;
    for one in &mut served {
        if !one.server.runs() {
            let said = one.server.text();
            return Err(vm.failure(&format!("a server ended: {said}")));
        }
    }
    Ok(())
}

/// A device's server under way.
#[derive(Debug)]
struct Served {
    server: Server,
    socket: PathBuf,
    /// The file that a disk is.
    disk: PathBuf,
}

impl Served {
    fn start(setting: &Setting<'_>, number: usize, device: &Device<'_>) -> Result<Self, Failure> {
        let place = setting.place.path();
        let socket = place.join(format!("virtio{number}"));
        let disk = place.join(format!("disk{number}"));
        let program = setting.virtio.with(["--transport", device.transport]);
        let program = program.with(device.options);
        let program = match device.kind {
            Kind::Block => {
                blank(&disk)?;
                program.with(["block"]).with([&disk])
            }
            Kind::Entropy => program.with(["entropy"]),
        };
        Ok(Self {
            server: Server::start(&program, &socket)?,
            socket,
            disk,
        })
    }

    /// Whether the file has the sum that the guest says the disk has.
    fn same(&self, setting: &Setting<'_>, guest: Option<&str>) -> Result<Values, String> {
        let guest = guest.ok_or("the guest gave no sum")?;
        let mut command = Command::new(setting.parts.busybox.program());
        let said = answer(command.arg("md5sum").arg(&self.disk));
        let said = said.map_err(|failure| failure.to_string())?;
        let here = said.split_whitespace().next().unwrap_or_default();
        if here != guest {
            return Err(format!(
                "the guest's disk sums up to {guest}, the file to {here}"
            ));
        }
        Ok(Values::from([("bytes".to_owned(), DISK.to_string())]))
    }
}

fn blank(disk: &Path) -> Result<(), Failure> {
    let file = File::create(disk).map_err(Failure::file(disk))?;
    file.set_len(DISK).map_err(Failure::file(disk))
}

/// One test's name by its verb, as the guest's script makes it.
#[cfg(test)]
pub(super) fn says(verb: &str) -> &str {
    let mut words = verb.split(':');
    let name = words.next().unwrap_or_default();
    words
        .find_map(|word| word.strip_prefix("as="))
        .unwrap_or(name)
}

/// Panics unless every test goes by the name that its verb has it say, and no name
/// comes twice: what is said twice is one test.
#[cfg(test)]
pub(super) fn check_names(tests: &[Test<'_>]) {
    let mut seen = std::collections::BTreeSet::new();
    for (verb, name, _) in tests {
        assert_eq!(says(verb), *name, "{verb}");
        assert!(seen.insert(*name), "{name} comes twice");
    }
}
