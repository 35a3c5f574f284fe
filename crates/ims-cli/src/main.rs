// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The program `ims`.

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
}

fn main() -> ExitCode {
    match Arguments::parse().command.unwrap_or_else(|| Command::Run(run::RunArgs::default())) {
        Command::Run(args) => run::run(&args),
    }
}
