// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The house's machinery: `cargo xtask test | e2e | bench | weaken | ci`.
//!
//! Every command needs the Rust toolchain and nothing else, without root. What
//! `e2e` needs beyond that it fetches, into a cache of this user.
#![forbid(unsafe_code)]

mod bench;
mod ci;
mod command;
mod e2e;
mod failure;
mod models;
mod progress;
mod step;
mod tally;
mod test;
mod threats;
mod tree;
mod weaken;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Tests, measures and proves the workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run every test and check; ends with `N passed, N failed, N skipped`.
    Test(test::Options),
    /// Boot Linux in QEMU with a device of ours, and follow its interrupts.
    E2e(Box<e2e::Options>),
    /// Run every benchmark and rewrite docs/measurements.md.
    Bench(bench::Options),
    /// Weaken each atomic ordering of the data path in turn; some model must fail each time.
    Weaken(weaken::Options),
    /// Run what a merge needs: formatting, lints, dependencies, and `test --real`.
    Ci,
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Task::Test(options) => Ok(test::run(&options)),
        Task::E2e(options) => e2e::run(&options),
        Task::Bench(options) => bench::run(&options),
        Task::Weaken(options) => weaken::run(&options),
        Task::Ci => Ok(ci::run()),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn quick_and_real_exclude_each_other() {
        assert!(Cli::try_parse_from(["xtask", "test", "--real"]).is_ok());
        assert!(Cli::try_parse_from(["xtask", "test", "--quick"]).is_ok());
        assert!(Cli::try_parse_from(["xtask", "test", "--quick", "--real"]).is_err());
    }
}
