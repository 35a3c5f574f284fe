// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a guest told in one boot, and whether it is what it should have told.

use super::super::machine::Vm;
use super::super::machine::console::{Message, Values};
use super::super::report::Report;
use crate::failure::Failure;
use crate::progress::Progress;
use std::collections::BTreeMap;

/// The messages of one boot.
#[derive(Debug, Default)]
pub(crate) struct Story {
    tests: BTreeMap<String, Result<Values, String>>,
    faults: Vec<(u32, u8)>,
    broken: Vec<String>,
    finished: bool,
    powered_down: bool,
}

impl Story {
    /// Hears a guest that needs no answer, until QEMU is over.
    ///
    /// # Errors
    /// [`Failure::Guest`] if its time is up.
    pub(crate) fn listen(vm: &mut Vm, progress: &Progress) -> Result<Self, Failure> {
        let mut story = Self::default();
        while let Some(message) = vm.next(progress)? {
            story.hear(message);
        }
        Ok(story)
    }

    /// Adds what the guest said.
    pub(crate) fn hear(&mut self, message: Message) {
        match message {
            Message::Test { name, result } => {
                // A failure is not made good by what comes later.
                let before = self.tests.entry(name).or_insert_with(|| result.clone());
                if before.is_ok() {
                    *before = result;
                }
            }
            Message::RemapFault { handle, reason } => self.faults.push((handle, reason)),
            Message::Init(text) if text == "done" => self.finished = true,
            Message::Init(text) | Message::Broken(text) => self.broken.push(text),
            Message::PowerDown => self.powered_down = true,
            Message::Ready { .. } => {}
        }
    }

    /// What a test found, if it passed and is not reported yet.
    pub(crate) fn found(&self, test: &str) -> Option<&Values> {
        self.tests.get(test)?.as_ref().ok()
    }

    /// Reports each of `wanted`: a test by name, and values it must have found.
    pub(crate) fn tests(
        &mut self,
        scenario: &'static str,
        wanted: &[(&str, &[(&str, &str)])],
        report: &mut Report,
    ) {
        for (name, values) in wanted {
            let found = self.tests.remove(*name);
            let found = found.unwrap_or_else(|| Err("the guest said nothing of it".to_owned()));
            report.add(
                scenario,
                name,
                found.and_then(|found| expect(found, values)),
            );
        }
    }

    /// Reports whether the guest's remapping unit refused exactly these messages.
    pub(crate) fn faults(&self, scenario: &'static str, wanted: &[(u32, u8)], report: &mut Report) {
        let shown = |faults: &[(u32, u8)]| {
            let each = faults.iter();
            let each = each.map(|(handle, reason)| format!("{handle:#x} for {reason:#x}"));
            each.collect::<Vec<_>>().join(", ")
        };
        let result = if self.faults == wanted {
            let count = wanted.len().to_string();
            Ok(Values::from([("faults".to_owned(), count)]))
        } else {
            Err(format!(
                "the guest's unit must refuse handles [{}], and refused [{}]",
                shown(wanted),
                shown(&self.faults)
            ))
        };
        report.add(scenario, "remapping faults", result);
    }

    /// Reports whether the guest came to its end without a fault of its own.
    pub(crate) fn end(&self, scenario: &'static str, report: &mut Report) {
        let result = if let Some(first) = self.broken.first() {
            Err(first.clone())
        } else if !self.finished {
            Err("the guest's first process did not finish".to_owned())
        } else if !self.powered_down {
            Err("the guest did not power off".to_owned())
        } else {
            Ok(Values::new())
        };
        report.add(scenario, "power off", result);
    }
}

fn expect(found: Values, wanted: &[(&str, &str)]) -> Result<Values, String> {
    for (name, value) in wanted {
        match found.get(*name) {
            Some(there) if there == value => {}
            Some(there) => return Err(format!("{name} is {there}, must be {value}")),
            None => return Err(format!("no {name}, must be {value}")),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(lines: &[&str]) -> Story {
        let mut story = Story::default();
        for line in lines {
            story.hear(Message::read(line).unwrap());
        }
        story
    }

    #[test]
    fn a_test_must_be_told_pass_and_find_what_it_should() {
        let lines = [
            "IMS-TEST a ok n=1",
            "IMS-TEST b ok n=1",
            "IMS-TEST c FAIL x",
        ];
        let mut report = Report::default();
        told(&lines).tests(
            "s",
            &[
                ("a", &[("n", "1")]),
                ("b", &[("n", "2")]),
                ("c", &[]),
                ("d", &[]),
            ],
            &mut report,
        );
        let ok: Vec<_> = report.checks.iter().map(|check| check.ok).collect();
        assert_eq!(ok, [true, false, false, false]);

        let mut report = Report::default();
        told(&lines).tests("s", &[("a", &[("m", "1")])], &mut report);
        assert!(!report.all_ok());
    }

    #[test]
    fn a_failure_is_not_made_good_later() {
        let mut report = Report::default();
        let mut story = told(&["IMS-TEST a ok", "IMS-TEST a FAIL x", "IMS-TEST a ok"]);
        story.tests("s", &[("a", &[])], &mut report);
        assert!(!report.all_ok());
    }

    #[test]
    fn faults_must_be_those_and_no_others() {
        let one = told(&["DMAR: [INTR-REMAP] fault index 0xfff0 [fault reason 0x22]"]);
        for (wanted, ok) in [
            (&[(0xfff0, 0x22)][..], true),
            (&[], false),
            (&[(0xfff0, 0x26)], false),
        ] {
            let mut report = Report::default();
            one.faults("s", wanted, &mut report);
            assert_eq!(report.all_ok(), ok);
        }
    }

    #[test]
    fn the_end_is_good_only_if_it_is_complete_and_nothing_broke() {
        let good = ["IMS-INIT done", "reboot: Power down"];
        let ends = |lines: &[&str]| {
            let mut report = Report::default();
            told(lines).end("s", &mut report);
            report.all_ok()
        };
        assert!(ends(&good));
        assert!(!ends(&good[..1]));
        assert!(!ends(&good[1..]));
        assert!(!ends(&["IMS-INIT done", "reboot: Power down", "BUG: x"]));
        assert!(!ends(&[
            "IMS-INIT insmod failed",
            "IMS-INIT done",
            "reboot: Power down"
        ]));
    }
}
