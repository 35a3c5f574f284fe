// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The program `ims`.
#![forbid(unsafe_code)]

mod adi;
mod bench;
mod columns;
mod control;
mod given;
mod run;
#[cfg(test)]
mod scratch;
mod serve;
mod stat;

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
    /// Serve virtual DSAs and physical functions over vfio-user, for QEMU and
    /// other VMMs.
    Serve(serve::ServeArgs),
    /// Compose, destroy and list interfaces of a running server.
    Adi(adi::AdiArgs),
    /// Show what every vector of a running server's devices counted.
    Stat(stat::StatArgs),
    /// Measure, each figure beside its neighbour and its budget.
    Bench(bench::Options),
}

fn main() -> ExitCode {
    match Arguments::parse()
        .command
        .unwrap_or_else(|| Command::Run(run::RunArgs::default()))
    {
        Command::Run(args) => run::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Adi(args) => adi::run(args),
        Command::Stat(args) => stat::run(&args),
        Command::Bench(options) => match bench::run(&options) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("ims bench: {error}");
                ExitCode::FAILURE
            }
        },
    }
}
