// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `ims bench`: what an interrupt costs, beside what its neighbour costs in the
//! same run, and whether that keeps the budget.

mod core;
mod cpu;
mod descriptors;
mod dsa;
mod kvm;
mod matrix;
mod memory;
mod progress;
mod row;
mod still;
mod table;
mod timing;
mod vfio_user;
mod virtio;

use progress::Progress;
use row::{Report, Row};
use std::error::Error;
use std::io::Write;
use timing::Effort;

/// What a benchmark answers, or why it could not be run.
type Outcome<T> = Result<T, Box<dyn Error>>;

/// What to measure, and how to say it.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// What to measure.
    #[arg(value_enum, required_unless_present = "list")]
    bench: Option<Bench>,
    /// Print the names of what can be measured, one a line.
    #[arg(long)]
    list: bool,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
    /// Fewer and shorter batches: seconds instead of a minute.
    #[arg(long)]
    quick: bool,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Bench {
    /// The core: allocating, raising, moving, and memory.
    Core,
    /// The vfio-user server: registers, interrupts and idle devices, beside other
    /// servers.
    VfioUser,
    /// A DSA served over vfio-user: descriptors, copies, interrupts and interfaces.
    Dsa,
    /// Interrupts of a KVM guest: unmasking, a hundred thousand sources, the ways in,
    /// save and restore; beside what VMMs do.
    Kvm,
    /// Interrupts of virtio devices by what carries them, in a KVM guest: exits to set
    /// up, mask, move and take them.
    Virtio,
}

impl Bench {
    const ALL: [Self; 5] = [
        Self::Core,
        Self::VfioUser,
        Self::Dsa,
        Self::Kvm,
        Self::Virtio,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::VfioUser => "vfio-user",
            Self::Dsa => "dsa",
            Self::Kvm => "kvm",
            Self::Virtio => "virtio",
        }
    }

    fn measure(self, effort: Effort) -> Outcome<Vec<Row>> {
        match self {
            Self::Core => core::measure(effort, &Progress::new(core::PARTS)),
            Self::VfioUser => vfio_user::measure(effort, &Progress::new(vfio_user::PARTS)),
            Self::Dsa => dsa::measure(effort, &Progress::new(dsa::PARTS)),
            Self::Kvm => kvm::measure(effort, &Progress::new(kvm::PARTS)),
            Self::Virtio => virtio::measure(effort, &Progress::new(virtio::PARTS)),
        }
    }
}

/// Measures and prints.
///
/// # Errors
/// If something could not be measured. A budget that is not met is no error: a
/// loaded machine is no defect.
pub(crate) fn run(options: &Options) -> Outcome<()> {
    let mut out = std::io::stdout().lock();
    let bench = match options.bench {
        Some(bench) if !options.list => bench,
        _ => {
            for bench in Bench::ALL {
                writeln!(out, "{}", bench.name())?;
            }
            return Ok(());
        }
    };
    let report = Report {
        bench: bench.name(),
        rows: bench.measure(Effort::new(options.quick))?,
    };
    if options.json {
        serde_json::to_writer(&mut out, &report)?;
        writeln!(out)?;
    } else {
        let (cells, rows): (Vec<_>, Vec<_>) =
            report.rows.into_iter().partition(|row| row.cell.is_some());
        if !rows.is_empty() {
            write!(out, "{}", table::table(&rows))?;
        }
        if !cells.is_empty() {
            write!(out, "{}", matrix::matrix(&cells))?;
        }
    }
    Ok(())
}
