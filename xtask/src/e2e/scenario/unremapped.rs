// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Without interrupt remapping, which must be asked for: the slot names the CPU.

use super::super::device::Server;
use super::super::machine::{Config, Unit, Vm};
use super::super::report::Report;
use super::Setting;
use super::story::Story;
use crate::failure::Failure;

const NAME: &str = "unremapped";

/// Few, so that their vectors run out.
const CPUS: u32 = 2;

/// What the guest does: it is refused until it asks for it.
const ORDER: [&str; 5] = ["unasked", "+unremapped", "move", "hold", "exhaust"];

/// What it must find.
const TESTS: [(&str, &[(&str, &str)]); 4] = [
    ("unasked", &[("errno", "1")]),
    ("move", &[("slot", "rewritten")]),
    ("hold", &[("delivered", "1")]),
    ("exhaust", &[("errno", "28"), ("cpus", "2")]),
];

/// How many interrupts two CPUs must at least be good for.
const AT_LEAST: u64 = 300;

/// Boots and tests with the server that the scenario before left.
///
/// # Errors
/// If the guest or the server does not do what it must for checks to be made.
pub(crate) fn run(
    setting: &Setting<'_>,
    server: &mut Server,
    report: &mut Report,
) -> Result<(), Failure> {
    let socket = setting.socket();
    let mut vm = Vm::start(&Config {
        devices: &[&socket],
        cpus: CPUS,
        unit: Unit::Translating,
        ..setting.config(&setting.guests.store, &ORDER)
    })?;
    let told = Story::listen(&mut vm, setting.progress);
    setting.keep("unremapped.log", vm.console());
    setting.keep("unremapped-server.log", server.text());
    let mut story = told?;
    story.tests(NAME, &TESTS, report);
    enough(report);
    story.faults(NAME, &[], report);
    story.end(NAME, report);
    vm.ended_well()?;
    if server.runs() {
        return Ok(());
    }
    Err(vm.failure(&format!("the device server ended: {}", server.text())))
}

/// Vectors must run out late.
fn enough(report: &mut Report) {
    let exhaust = report
        .checks
        .iter_mut()
        .find(|check| check.scenario == NAME && check.name == "exhaust" && check.ok);
    if let Some(check) = exhaust {
        let taken = check.values.get("interrupts");
        let taken: u64 = taken.and_then(|count| count.parse().ok()).unwrap_or(0);
        if taken < AT_LEAST {
            check.ok = false;
            check.why = Some(format!(
                "only {taken} interrupts, must be {AT_LEAST} or more"
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::e2e::machine::console::Values;

    #[test]
    fn vectors_that_run_out_early_are_a_failure() {
        for (count, ok) in [("396", true), ("12", false), ("x", false)] {
            let mut report = Report::default();
            let values = Values::from([("interrupts".to_owned(), count.to_owned())]);
            report.add(NAME, "exhaust", Ok(values));
            enough(&mut report);
            assert_eq!(report.all_ok(), ok, "{count}");
        }
    }

    #[test]
    fn all_that_is_done_is_checked() {
        let done = ORDER.iter().filter(|name| !name.starts_with('+'));
        let checked = TESTS.iter().map(|(name, _)| name);
        assert!(done.eq(checked));
    }
}
