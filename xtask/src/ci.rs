// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask ci`: what a merge needs.

use crate::command::{answer, cargo};
use crate::failure::Failure;
use crate::step::{Outcome, Step, run_all};
use crate::test::{self, succeed};
use crate::threats;
use crate::tree;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// The line every source file begins with, whatever its comments look like.
const LICENSE: &str = "SPDX-License-Identifier: ";

/// Kinds of files that carry it.
const SOURCES: [&str; 5] = ["rs", "c", "h", "S", "sh"];

/// Crates that may be there in several versions, each with the reason.
const SEVERAL_VERSIONS: &[(&str, &str)] = &[(
    "bitflags",
    "vmm-sys-util 0.15 is still on version 1, everything else on 2",
)];

/// Runs the checks and prints the tally; returns whether nothing failed.
pub(crate) fn run() -> bool {
    let mut steps = vec![
        component_step("formatting", "fmt", || formatting(cargo(["fmt", "--all"]))),
        component_step("formatting without std", "fmt", || {
            formatting(no_std(cargo(["fmt"])))
        }),
        component_step("lints", "clippy", || {
            cargo([
                "clippy",
                "--workspace",
                "--all-targets",
                "--",
                "-D",
                "warnings",
            ])
        }),
        component_step("lints without std", "clippy", || {
            let mut command = no_std(cargo(["clippy", "--release", "--target-dir"]));
            command
                .arg(tree::root().join("target/no-std"))
                .args(["--", "-D", "warnings"]);
            command
        }),
        Step::check("one version of each dependency", |_| {
            let arguments = [
                "tree",
                "--workspace",
                "--edges",
                "normal,no-proc-macro",
                "--prefix",
                "none",
            ];
            one_version_each(&answer(&mut cargo(arguments))?)
        }),
        Step::check("license line in every source", |_| license_lines()),
        Step::check("tests that SECURITY.md names", |_| {
            threats::named_tests_exist()
        }),
    ];
    steps.extend(test::steps(&test::Options::real()));
    run_all(&steps)
}

/// `cargo fmt`, told to check, and to print plain text.
fn formatting(mut command: Command) -> Command {
    command.args(["--check", "--", "--color", "never"]);
    command
}

/// The same command for the program that stands outside the workspace.
fn no_std(mut command: Command) -> Command {
    command.current_dir(tree::root().join("checks/no-std"));
    command
}

/// A check by a part of the toolchain that may not be installed.
fn component_step(name: &str, component: &'static str, command: fn() -> Command) -> Step {
    Step::new(name, move |progress| {
        if answer(&mut cargo([component, "--version"])).is_err() {
            return Outcome::skipped(format!("the toolchain has no `cargo {component}`"));
        }
        succeed(&mut command(), progress).into()
    })
}

/// Reads `cargo tree --prefix none`: each line begins `<crate> v<version>`.
fn one_version_each(tree: &str) -> Result<(), Failure> {
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for line in tree.lines() {
        let mut words = line.split(' ');
        if let (Some(name), Some(version)) = (words.next(), words.next()) {
            versions.entry(name).or_default().insert(version);
        }
    }
    versions.retain(|name, versions| {
        versions.len() > 1 && !SEVERAL_VERSIONS.iter().any(|(allowed, _)| allowed == name)
    });
    if versions.is_empty() {
        return Ok(());
    }
    Err(Failure::Form {
        what: "dependencies".to_owned(),
        why: format!("several versions of {versions:?}; agree on one, or say why not in ci.rs"),
    })
}

fn license_lines() -> Result<(), Failure> {
    let mut without = Vec::new();
    for path in tree::files(tree::root())? {
        let is_source = path
            .extension()
            .is_some_and(|extension| SOURCES.iter().any(|source| extension == *source));
        if is_source && !has_license_line(&tree::read(&path)?) {
            without.push(tree::relative(&path));
        }
    }
    if without.is_empty() {
        return Ok(());
    }
    Err(Failure::Form {
        what: without.join(", "),
        why: format!("begin the file with a comment `{LICENSE}…`"),
    })
}

/// On the first line, or on the second if the first names an interpreter.
fn has_license_line(text: &str) -> bool {
    let mut lines = text.lines();
    let first = lines.next().unwrap_or_default();
    let line = if first.starts_with("#!/") {
        lines.next().unwrap_or_default()
    } else {
        first
    };
    line.contains(LICENSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_versions_of_a_crate_are_found_and_repeats_are_not() {
        let good = "ims v0.1.0 (/w/crates/ims)\nlibc v0.2.1\nlibc v0.2.1 (*)\n\nclap v4.6.0\n";
        one_version_each(good).unwrap();
        let failure = one_version_each(&format!("{good}libc v0.3.0\n"))
            .unwrap_err()
            .to_string();
        assert!(
            failure.contains("libc") && !failure.contains("clap"),
            "{failure}"
        );
    }

    #[test]
    fn the_license_line_stands_first_or_after_the_interpreter() {
        assert!(has_license_line(
            "// SPDX-License-Identifier: MIT\nfn x() {}\n"
        ));
        assert!(has_license_line(
            "#!/bin/sh\n# SPDX-License-Identifier: MIT\n"
        ));
        assert!(!has_license_line(
            "fn x() {}\n// SPDX-License-Identifier: MIT\n"
        ));
        assert!(!has_license_line(""));
    }

    #[test]
    fn this_workspace_carries_its_license_lines() {
        license_lines().unwrap();
    }
}
