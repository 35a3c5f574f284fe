// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What came of it, for people and for programs.

use super::machine::console::Values;
use serde::Serialize;
use std::fmt;

/// All checks of a run.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    pub(crate) ok: bool,
    pub(crate) seconds: f64,
    /// QEMU's version.
    pub(crate) qemu: String,
    /// The guest kernel's release.
    pub(crate) kernel: String,
    /// The newer guest kernel's, if one was booted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) newer_kernel: Option<String>,
    pub(crate) checks: Vec<Check>,
}

/// One check.
#[derive(Debug, Serialize)]
pub(crate) struct Check {
    pub(crate) scenario: &'static str,
    pub(crate) name: String,
    pub(crate) ok: bool,
    /// What was found, by name.
    #[serde(skip_serializing_if = "Values::is_empty")]
    pub(crate) values: Values,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) why: Option<String>,
}

impl Report {
    /// Adds a check: what it found, or why it failed.
    pub(crate) fn add(
        &mut self,
        scenario: &'static str,
        name: &str,
        result: Result<Values, String>,
    ) {
        let (values, why) = match result {
            Ok(values) => (values, None),
            Err(why) => (Values::new(), Some(why)),
        };
        self.checks.push(Check {
            scenario,
            name: name.to_owned(),
            ok: why.is_none(),
            values,
            why,
        });
    }

    /// A number that a check found.
    pub(crate) fn value(&self, scenario: &str, check: &str, value: &str) -> Option<f64> {
        let mut checks = self.checks.iter();
        let found = checks.find(|one| one.scenario == scenario && one.name == check)?;
        found.values.get(value)?.parse().ok()
    }

    /// Whether checks were made and none failed.
    pub(crate) fn all_ok(&self) -> bool {
        !self.checks.is_empty() && self.checks.iter().all(|check| check.ok)
    }

    /// The checks that failed, a line or more each.
    pub(crate) fn failures(&self) -> String {
        let failed = self.checks.iter().filter(|check| !check.ok);
        failed
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n")
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.ok { "ok  " } else { "FAIL" };
        write!(f, "{word} {}: {}", self.scenario, self.name)?;
        for (name, value) in &self.values {
            write!(f, " {name}={value}")?;
        }
        match &self.why {
            Some(why) => write!(f, ": {why}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "QEMU {}, Linux {}", self.qemu, self.kernel)?;
        if let Some(newer) = &self.newer_kernel {
            write!(f, " and {newer}")?;
        }
        writeln!(f)?;
        for check in &self.checks {
            writeln!(f, "{check}")?;
        }
        let failed = self.checks.iter().filter(|check| !check.ok).count();
        let passed = self.checks.len().saturating_sub(failed);
        write!(
            f,
            "{passed} passed, {failed} failed ({:.1} s)",
            self.seconds
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_without_checks_is_no_success() {
        let mut report = Report::default();
        assert!(!report.all_ok());
        report.add(
            "a",
            "x",
            Ok(Values::from([("n".to_owned(), "1".to_owned())])),
        );
        assert!(report.all_ok());
        report.add("a", "y", Err("why".to_owned()));
        assert!(!report.all_ok());
        assert_eq!(report.failures(), "FAIL a: y: why");
        let text = report.to_string();
        assert!(text.contains("ok   a: x n=1\n"), "{text}");
        assert!(text.contains("1 passed, 1 failed"), "{text}");
    }

    #[test]
    fn programs_read_the_same() {
        let mut report = Report::default();
        report.add("a", "x", Err("why".to_owned()));
        let value = serde_json::to_value(&report).unwrap();
        assert_eq!(value["checks"][0]["why"], "why");
        assert_eq!(value["checks"][0]["ok"], false);
        assert!(value["checks"][0].get("values").is_none());
    }
}
