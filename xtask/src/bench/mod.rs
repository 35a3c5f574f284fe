// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask bench`: runs what `ims bench --list` names and writes down what
//! came out.

mod guest;
mod machine;
mod matrix;
mod page;
pub(crate) mod rows;

use crate::command::{answer, line, separate};
use crate::failure::Failure;
use crate::progress::Progress;
use crate::test::{build_program, program_command};
use crate::tree;
use machine::Machine;
use page::Bench;
use std::process::Command;

/// What to do with the measurements.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Print the page instead of writing docs/measurements.md.
    #[arg(long)]
    check: bool,
}

/// Measures. Returns true: a budget that is not kept is written down and said,
/// for a loaded machine is no defect.
///
/// # Errors
/// If a benchmark cannot be run or answers nothing of use; the page is left as
/// it was.
pub(crate) fn run(options: &Options) -> Result<bool, Failure> {
    let preparing = Progress::new(1);
    preparing.start("building");
    build_program(&preparing)?;
    drop(preparing);

    let names = names(&answer(&mut program_command(&["bench", "--list"]))?)?;
    let date = answer(Command::new("date").args(["-u", "+%Y-%m-%d"]))?;
    let progress = Progress::new(names.len());
    let mut benches = Vec::new();
    for name in names {
        progress.start(&name);
        let rows = measure(&name)?;
        progress.say(&format!("{name}: {} rows", rows.len()));
        benches.push(Bench {
            command: format!("cargo run --release -- bench {name}"),
            name,
            rows,
        });
        progress.advance();
    }
    drop(progress);
    benches.push(guest::measure()?);

    let page = page::page(&Machine::here(), date.trim(), &benches);
    if options.check {
        println!("{page}");
    } else {
        let place = tree::root().join("docs/measurements.md");
        tree::write(&place, &page)?;
        println!("wrote {}", tree::relative(&place));
    }
    for row in page::over_budget(&benches) {
        println!("over budget: {row}");
    }
    Ok(true)
}

/// One name a line.
fn names(list: &str) -> Result<Vec<String>, Failure> {
    let names: Vec<_> = list
        .lines()
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    if names.is_empty() {
        return Err(Failure::Nothing(
            "`ims bench --list` names no benchmark".to_owned(),
        ));
    }
    Ok(names)
}

/// Runs one benchmark. It may report failure, for a budget that is not kept, as
/// long as it answers.
fn measure(name: &str) -> Result<Vec<rows::Row>, Failure> {
    let mut command = program_command(&["bench", name, "--json"]);
    let (text, success, errors) = separate(&mut command)?;
    match rows::read(name, &text) {
        Err(_) if !success => Err(Failure::Command {
            command: line(&command),
            output: errors + &text,
        }),
        rows => rows,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn benchmarks_are_named_one_a_line() {
        assert_eq!(names("core\n dsa \n\n").unwrap(), ["core", "dsa"]);
        assert!(names("\n").is_err());
    }
}
