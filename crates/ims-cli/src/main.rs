// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The program `ims`.

mod bench;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Interrupts of virtual devices: as many as they have queues.
#[derive(Debug, Parser)]
#[command(name = "ims", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure, each figure beside its neighbour and its budget.
    Bench(bench::Options),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Bench(options) => bench::run(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ims: {error}");
            ExitCode::FAILURE
        }
    }
}
