// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The program `ims`.
#![forbid(unsafe_code)]

mod bench;
mod run;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Interrupts of virtual devices: as many as they have queues.
#[derive(Debug, Parser)]
#[command(name = "ims", version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Compose interfaces of a device for virtual machines and prove that every
    /// completion interrupts the right CPU. What `ims` does without a command.
    Run(run::RunArgs),
    /// Measure, each figure beside its neighbour and its budget.
    Bench(bench::Options),
}

fn main() -> ExitCode {
    match Arguments::parse()
        .command
        .unwrap_or_else(|| Command::Run(run::RunArgs::default()))
    {
        Command::Run(args) => run::run(&args),
        Command::Bench(options) => match bench::run(&options) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("ims bench: {error}");
                ExitCode::FAILURE
            }
        },
    }
}
