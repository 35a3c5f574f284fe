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
use device::Program;
use parts::{Own, Parts};
use report::Report;
use scenario::{
    Guests, Place, Setting, guest_ims, killed, movdir64b, physical, remapped, revoked, unremapped,
    virtio_mmio, virtio_msg, virtio_pci, virtual_device,
};
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
    /// Use this program `ims`, and build none.
    #[arg(long, value_name = "PROGRAM")]
    ims: Option<PathBuf>,
    /// Use this server of a virtio device, and build none.
    #[arg(long, value_name = "PROGRAM")]
    virtio_server: Option<PathBuf>,
    /// Run these scenarios alone; may be given several times.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Report in JSON.
    #[arg(long)]
    json: bool,
}

/// Steps the bar shows: parts, three programs, guests, and the scenarios.
pub(crate) const STEPS: usize = parts::STEPS + 4 + SCENARIOS.len();

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

/// How many iterations of the kernel's own test a guest makes a second, by the kind of
/// DSA it has.
///
/// # Errors
/// As [`run`], and if a check failed.
pub(crate) fn dmatest(progress: &Progress) -> Result<Vec<(&'static str, f64)>, Failure> {
    let kinds = [physical::NAME, virtual_device::NAME];
    let options = Options {
        only: kinds.map(str::to_owned).to_vec(),
        ..Options::default()
    };
    let report = report(&options, progress)?;
    if !report.ok {
        return Err(Failure::Form {
            what: "end to end".to_owned(),
            why: report.failures(),
        });
    }
    Ok(kinds
        .into_iter()
        .filter_map(|kind| Some((kind, report.value(kind, "dmatest", "per_second")?)))
        .collect())
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
    progress.start("program ims");
    let ims = match &options.ims {
        Some(path) => Program::own(path),
        None => Program::ims(progress)?,
    };
    progress.advance();
    progress.start("virtio server");
    let virtio = match &options.virtio_server {
        Some(path) => Program::own(path),
        None => Program::virtio(progress)?,
    };
    progress.advance();
    progress.start("guests");
    let guests = Guests {
        store: guest::store(&parts, progress)?,
        dsa: guest::dsa(&parts, progress)?,
        newer_dsa: guest::newer_dsa(&parts, progress)?,
        virtio: guest::virtio(&parts, progress)?,
    };
    let place = Place::new()?;
    progress.advance();

    let mut report = Report {
        qemu: parts.emulator.version.clone(),
        kernel: parts.kernel.release.clone(),
        newer_kernel: parts
            .newer
            .as_ref()
            .map(|newer| newer.kernel.release.clone()),
        ..Report::default()
    };
    let setting = Setting {
        parts: &parts,
        program: &program,
        ims: &ims,
        virtio: &virtio,
        guests: &guests,
        place: &place,
        progress,
    };
    scenarios(&setting, &options.only, &mut report);
    report.ok = report.all_ok();
    report.seconds = begin.elapsed().as_secs_f64();
    Ok(report)
}

/// A boot, or several that belong together.
type Scenario = fn(&Setting<'_>, &mut Report) -> Result<(), Failure>;

/// All of them, in order.
const SCENARIOS: [(&str, Scenario); 14] = [
    ("store", store),
    (movdir64b::NAME, movdir64b::run),
    (movdir64b::NEWER, movdir64b::newer),
    (physical::NAME, physical::run),
    (virtual_device::NAME, virtual_device::run),
    (revoked::NAME, revoked::run),
    (revoked::NEWER, revoked::newer),
    (killed::NAME, killed::run),
    (guest_ims::NAME, guest_ims::run),
    (virtio_pci::NAME, virtio_pci::run),
    (virtio_mmio::NAME, virtio_mmio::run),
    (virtio_msg::MSI, virtio_msg::msi),
    (virtio_msg::VIS, virtio_msg::vis),
    (virtio_msg::REMAPPED, virtio_msg::remapped),
];

/// Runs the scenarios in order; one that cannot be made to its end is a check
/// that failed, beside those it made.
fn scenarios(setting: &Setting<'_>, only: &[String], report: &mut Report) {
    for (name, run) in SCENARIOS {
        if only.is_empty() || only.iter().any(|wanted| wanted == name) {
            setting.progress.start(name);
            if let Err(failure) = run(setting, report) {
                report.add(name, "boot", Err(failure.to_string()));
            }
        }
        setting.progress.advance();
    }
}

/// Those with the example device; the second takes over the first one's server.
fn store(setting: &Setting<'_>, report: &mut Report) -> Result<(), Failure> {
    let mut server = remapped::run(setting, report)?;
    unremapped::run(setting, &mut server, report)
}
