// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask e2e`: QEMU, a Linux guest with a module of ours, and a device of
//! ours in a process beside it.

mod apt;
mod cache;
mod device;
mod guest;
mod machine;
mod parts;
mod report;
mod scenario;

use crate::failure::Failure;
use crate::progress::Progress;
use crate::tree;
use device::Program;
use parts::{Own, Parts};
use report::Report;
use scenario::{Place, Setting, remapped, unremapped};
use std::path::PathBuf;
use std::time::Instant;

/// What to run it with.
#[derive(Debug, Default, Clone, clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    own: Own,
    /// Use this server of the device, started with a socket's path as its
    /// argument, and build none.
    #[arg(long, value_name = "PROGRAM")]
    server: Option<PathBuf>,
    /// Report in JSON.
    #[arg(long)]
    json: bool,
}

/// Steps the bar shows: three parts, server, module, two scenarios.
const STEPS: usize = 7;

/// Runs everything and prints the report; returns whether nothing failed.
///
/// # Errors
/// If something is missing, or a program that is needed does not run.
pub(crate) fn run(options: &Options) -> Result<bool, Failure> {
    let progress = Progress::new(STEPS);
    let report = report(options, &progress)?;
    drop(progress);
    if options.json {
        let text = serde_json::to_string_pretty(&report).map_err(|error| Failure::Form {
            what: "the report".to_owned(),
            why: error.to_string(),
        })?;
        println!("{text}");
    } else {
        println!("{report}");
    }
    Ok(report.ok)
}

/// The same as one check among others.
///
/// # Errors
/// As [`run`], and if a check failed.
pub(crate) fn check(progress: &Progress) -> Result<(), Failure> {
    let report = report(&Options::default(), progress)?;
    if report.ok {
        return Ok(());
    }
    Err(Failure::Form {
        what: "end to end".to_owned(),
        why: report.failures(),
    })
}

/// Why this cannot run without fetching anything; none if it can.
pub(crate) fn needs_fetching() -> Option<String> {
    match parts::not_cached() {
        Ok(sets) if sets.is_empty() => None,
        Ok(sets) => Some(format!("not in the cache: {}", sets.join(", "))),
        Err(failure) => Some(failure.to_string()),
    }
}

/// Why what is missing cannot be fetched here; none if it can, as far as one can
/// tell without trying.
pub(crate) fn cannot_fetch() -> Option<String> {
    apt::Machine::here()
        .err()
        .map(|failure| failure.to_string())
}

fn report(options: &Options, progress: &Progress) -> Result<Report, Failure> {
    let begin = Instant::now();
    let parts = Parts::get(&options.own, progress)?;
    progress.start("device server");
    let program = match &options.server {
        Some(path) => Program::own(path),
        None => Program::build(progress)?,
    };
    progress.advance();
    progress.start("guest module");
    let module = guest::module::build(&parts.kernel, progress)?;
    let place = Place::new()?;
    let initramfs = tree::root().join("target/e2e/initramfs");
    guest::initramfs::write(&initramfs, &parts.busybox, &module)?;
    progress.advance();

    let mut report = Report {
        qemu: parts.emulator.version.clone(),
        kernel: parts.kernel.release.clone(),
        ..Report::default()
    };
    let setting = Setting {
        parts: &parts,
        program: &program,
        initramfs: &initramfs,
        place: &place,
        progress,
    };
    scenarios(&setting, &mut report);
    report.ok = report.all_ok();
    report.seconds = begin.elapsed().as_secs_f64();
    Ok(report)
}

/// Runs the scenarios in order; one that cannot be made to its end is a check
/// that failed, beside those it made.
fn scenarios(setting: &Setting<'_>, report: &mut Report) {
    setting.progress.start("with remapping");
    let server = remapped::run(setting, report);
    setting.progress.advance();
    let mut server = match server {
        Ok(server) => server,
        Err(failure) => return report.add("remapped", "boot", Err(failure.to_string())),
    };
    setting.progress.start("without remapping");
    if let Err(failure) = unremapped::run(setting, &mut server, report) {
        report.add("unremapped", "boot", Err(failure.to_string()));
    }
    setting.progress.advance();
}
