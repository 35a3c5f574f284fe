// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `ims stat`: what every vector of every device of a running server counted.

mod table;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use crate::control::message::{Answer, Request, Statistics};
use crate::control::{ControlError, Name, ask};
use crate::serve::ControlFlag;

/// What `ims stat` is told.
#[derive(Debug, Args)]
pub(crate) struct StatArgs {
    /// Only these devices [default: all]
    #[arg(value_name = "NAME")]
    names: Vec<Name>,
    #[command(flatten)]
    control: ControlFlag,
    /// Again and again, until stopped; with --json one line each time
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "1",
          require_equals = true, value_parser = clap::value_parser!(u16).range(1..=3600))]
    watch: Option<u16>,
    /// Print what was counted as one JSON object
    #[arg(long)]
    json: bool,
}

/// Why nothing was shown.
#[derive(Debug, thiserror::Error)]
enum StatError {
    #[error(transparent)]
    Control(#[from] ControlError),
    #[error("no device is called \"{0}\"; `ims adi list` names them")]
    NoDevice(Name),
    #[error("not an answer to what was asked; client and server must be of one version")]
    NotAnAnswer,
    #[error("standard output: {0}")]
    Output(#[from] io::Error),
}

/// Carries out `ims stat`. Exit code 0: it was shown; 1: there is no server.
pub(crate) fn run(args: &StatArgs) -> ExitCode {
    match carry_out(args) {
        Ok(()) => ExitCode::SUCCESS,
        // Who read has read enough.
        Err(StatError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("ims stat: {error}");
            ExitCode::FAILURE
        }
    }
}

fn carry_out(args: &StatArgs) -> Result<(), StatError> {
    let path = args.control.path();
    loop {
        let Answer::Statistics(statistics) = ask(&path, &Request::Stat)? else {
            return Err(StatError::NotAnAnswer);
        };
        let statistics = only(statistics, &args.names)?;
        let mut out = io::stdout().lock();
        if args.watch.is_some() && !args.json && out.is_terminal() {
            // Home, and clear what was there (ECMA-48 CUP, ED).
            write!(out, "\x1b[H\x1b[2J")?;
        }
        show(&mut out, &statistics, args.json)?;
        drop(out);
        let Some(seconds) = args.watch else {
            return Ok(());
        };
        std::thread::sleep(Duration::from_secs(seconds.into()));
    }
}

/// The devices of these names, or all.
fn only(mut statistics: Statistics, names: &[Name]) -> Result<Statistics, StatError> {
    let devices = &mut statistics.devices;
    let is_there = |name: &&Name| devices.iter().any(|it| it.device.name == **name);
    if let Some(missing) = names.iter().find(|name| !is_there(name)) {
        return Err(StatError::NoDevice(missing.clone()));
    }
    if !names.is_empty() {
        devices.retain(|it| names.contains(&it.device.name));
    }
    Ok(statistics)
}

fn show(out: &mut impl Write, statistics: &Statistics, json: bool) -> io::Result<()> {
    if json {
        serde_json::to_writer(&mut *out, statistics)?;
        writeln!(out)?;
    } else {
        table::write(out, statistics)?;
    }
    out.flush()
}
