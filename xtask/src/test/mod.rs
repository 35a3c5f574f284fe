// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask test`: every check there is, in one list.

mod job;
pub(crate) mod libtest;
mod real;

use crate::command::{answer, capture, cargo};
use crate::failure::Failure;
use crate::models;
use crate::progress::Progress;
use crate::step::{Outcome, Step, run_all};
use crate::tally::Tally;
use crate::tree;
use std::process::Command;

/// What to test, and how thoroughly.
#[derive(Debug, Default, Clone, clap::Args)]
pub(crate) struct Options {
    /// Treat a missing real part that should be there as a failure.
    #[arg(long)]
    real: bool,
    /// Leave out what takes long: models, feature combinations, documentation,
    /// the main job, real parts. Each counts as skipped.
    #[arg(long, conflicts_with_all = ["real", "full_models"])]
    quick: bool,
    /// Run only the tests, and the checks of this program's own, whose name holds this.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Let the models look at every interleaving, however long it takes.
    #[arg(long)]
    full_models: bool,
}

impl Options {
    /// Everything, with the real parts required.
    pub(crate) fn real() -> Self {
        Self {
            real: true,
            ..Self::default()
        }
    }
}

/// Feature lists, beside the default, that the crate `ims` is tested with.
const FEATURES: &[&str] = &[""];

/// Runs the tests and prints the tally; returns whether nothing failed.
pub(crate) fn run(options: &Options) -> bool {
    run_all(&steps(options))
}

/// The list of steps, in order, as the options leave it.
pub(crate) fn steps(options: &Options) -> Vec<Step> {
    let wanted = |kind: Kind, step: &Step| match &options.filter {
        // The harness applies the filter to its own tests.
        Some(filter) => kind.is_harness() || step.name.contains(filter),
        None => true,
    };
    let list = list(options)
        .into_iter()
        .filter(|(kind, step)| wanted(*kind, step));
    list.map(|(kind, step)| {
        if options.quick && kind.is_long() {
            left_out(step)
        } else {
            step
        }
    })
    .collect()
}

/// What kind of work a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Tests in Rust's harness.
    Tests,
    /// The same, and it takes long.
    LongTests,
    /// A check of this program's own.
    Check,
    /// The same, and it takes long.
    LongCheck,
}

impl Kind {
    fn is_harness(self) -> bool {
        matches!(self, Self::Tests | Self::LongTests)
    }

    fn is_long(self) -> bool {
        matches!(self, Self::LongTests | Self::LongCheck)
    }
}

/// Everything there is.
fn list(options: &Options) -> Vec<(Kind, Step)> {
    let mut list = vec![
        (Kind::Tests, workspace_step(options)),
        (Kind::LongTests, models_step(options)),
        (Kind::Check, no_std_step()),
    ];
    let features = FEATURES
        .iter()
        .map(|features| features_step(features, options));
    list.extend(features.map(|step| (Kind::LongTests, step)));
    list.push((Kind::LongCheck, documentation_step()));
    list.push((Kind::LongCheck, job_step()));
    let parts = real::parts()
        .into_iter()
        .map(|part| part.into_step(options.real));
    list.extend(parts.map(|step| (Kind::LongCheck, step)));
    list
}

fn workspace_step(options: &Options) -> Step {
    let filter = options.filter.clone();
    Step::new("tests of the workspace", move |progress| {
        libtest_step(
            &mut cargo(["test", "--workspace", "--no-fail-fast"]),
            filter.iter(),
            progress,
        )
    })
}

fn features_step(features: &'static str, options: &Options) -> Step {
    let filter = options.filter.clone();
    let name = match features {
        "" => "tests of ims without features".to_owned(),
        some => format!("tests of ims with only {some}"),
    };
    Step::new(name, move |progress| {
        let mut command = cargo(["test", "--package", "ims", "--no-default-features"]);
        command.args(["--no-fail-fast", "--features", features]);
        libtest_step(&mut command, filter.iter(), progress)
    })
}

/// The same step, not made.
fn left_out(step: Step) -> Step {
    Step::new(step.name, |_| Outcome::skipped("left out by --quick"))
}

/// Runs a `cargo test` and counts what its binaries report.
fn libtest_step<'a>(
    command: &mut Command,
    filter: impl Iterator<Item = &'a String>,
    progress: &Progress,
) -> Outcome {
    command.args(["--", "--show-output"]).args(filter);
    match capture(command, None, |line| progress.note(line)) {
        Ok(captured) => {
            let succeeded = captured.succeeded();
            libtest::outcome(captured.text, succeeded)
        }
        Err(failure) => Outcome::failed(failure),
    }
}

fn models_step(options: &Options) -> Step {
    let full = options.full_models;
    let filter = options.filter.clone();
    Step::new("loom models", move |progress| {
        let target = tree::root().join("target/loom");
        let mut command = models::command(tree::root(), &target, full);
        // The harness takes filters to mean any of them: a model's own name has
        // to stand in for the name all models share.
        let name = filter.clone().unwrap_or_else(|| models::FILTER.to_owned());
        let mut outcome = libtest_step(&mut command, std::iter::once(&name), progress);
        if filter.is_none() && outcome.tally == Tally::default() {
            outcome = Outcome::failed(format!(
                "no model ran: none of {:?} has a test named {}…\n{}",
                models::CRATES,
                models::FILTER,
                outcome.output
            ));
        }
        outcome
    })
}

/// Links `ims` and the virtio driver into a program that has no std, and runs it.
fn no_std_step() -> Step {
    Step::check(
        "ims and the virtio driver link and run without std",
        |progress| {
            let place = tree::root().join("checks/no-std");
            let target = tree::root().join("target/no-std");
            let mut build = cargo(["build", "--release"]);
            build.current_dir(place).arg("--target-dir").arg(&target);
            succeed(&mut build, progress)?;
            succeed(&mut Command::new(target.join("release/no-std")), progress)
        },
    )
}

fn documentation_step() -> Step {
    Step::check("documentation builds without warnings", |progress| {
        // Libraries only: the program `ims` and the library `ims` would write
        // their pages to the same place.
        let mut command = cargo(["doc", "--no-deps", "--workspace", "--lib"]);
        succeed(command.env("RUSTDOCFLAGS", "-D warnings"), progress)
    })
}

fn job_step() -> Step {
    Step::check("the main job, small", |progress| {
        build_program(progress)?;
        let arguments = ["run", "--seconds", "1", "--adis", "64", "--json"];
        job::check(&program(&arguments)?)
    })
}

/// Runs `command`.
///
/// # Errors
/// [`Failure::Command`], with all it printed, unless it reports success.
pub(crate) fn succeed(command: &mut Command, progress: &Progress) -> Result<(), Failure> {
    let captured = capture(command, None, |line| progress.note(line))?;
    if captured.succeeded() {
        return Ok(());
    }
    let ending = captured
        .status
        .map(|status| format!("({status})\n"))
        .unwrap_or_default();
    let output = captured.text + &ending;
    Err(Failure::Command {
        command: crate::command::line(command),
        output,
    })
}

/// Builds the program `ims`, so that its compiler's words are not its own.
pub(crate) fn build_program(progress: &Progress) -> Result<(), Failure> {
    succeed(
        &mut cargo(["build", "--release", "--package", "ims-cli"]),
        progress,
    )
}

/// The program `ims` with `arguments`.
pub(crate) fn program_command(arguments: &[&str]) -> Command {
    let mut command = cargo([
        "run",
        "--release",
        "--quiet",
        "--package",
        "ims-cli",
        "--bin",
        "ims",
        "--",
    ]);
    command.args(arguments);
    command
}

/// Runs the program `ims` and returns what it answers.
fn program(arguments: &[&str]) -> Result<String, Failure> {
    answer(&mut program_command(arguments))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(options: &Options) -> Vec<String> {
        steps(options).into_iter().map(|step| step.name).collect()
    }

    #[test]
    fn every_kind_of_check_is_in_the_list_in_order() {
        let names = names(&Options::default());
        let order = [
            "workspace",
            "loom",
            "without std",
            "without features",
            "docum",
            "job",
            "KVM",
            "QEMU",
        ];
        let places: Vec<_> = order
            .map(|part| names.iter().position(|name| name.contains(part)).unwrap())
            .to_vec();
        assert!(places.is_sorted(), "{names:?}");
        assert_eq!(names.len(), order.len());
    }

    #[test]
    fn a_filter_leaves_the_test_binaries_and_the_checks_it_names() {
        let options = Options {
            filter: Some("without std".to_owned()),
            ..Options::default()
        };
        let names = names(&options);
        assert!(names.iter().any(|name| name.contains("without std")));
        assert!(!names.iter().any(|name| name.contains("main job")));
    }

    #[test]
    fn quick_counts_what_it_leaves_out_as_skipped() {
        let quick = Options {
            quick: true,
            ..Options::default()
        };
        assert_eq!(names(&quick), names(&Options::default()));
        let step = left_out(Step::check("x", |_| {
            Err(Failure::Nothing("ran".to_owned()))
        }));
        assert!(run_all(&[step]));
    }

    #[test]
    fn a_program_that_fails_is_shown_with_all_it_said() {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "echo first; echo second >&2; exit 4"]);
        let shown = succeed(&mut command, &Progress::new(1))
            .unwrap_err()
            .to_string();
        assert!(
            shown.contains("first\nsecond\n") && shown.contains("4"),
            "{shown}"
        );
    }
}
