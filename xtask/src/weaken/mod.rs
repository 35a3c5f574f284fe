// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `cargo xtask weaken`: the proof that the models watch every ordering.
//!
//! Each ordering of the data path is weakened alone, in a copy of the
//! workspace, and the models are run on it. One that can be weakened without a
//! model failing is either not needed or not watched.

mod allow;
mod mutant;
mod scratch;
mod source;

use crate::failure::Failure;
use crate::progress::Progress;
use crate::tree;
use allow::Allowed;
use mutant::Mutant;
use scratch::{Scratch, Verdict};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Where threads meet on the data path: files, or rooms with all their files.
/// What does not exist (yet) is left out.
const PLACES: &[&str] = &[
    "crates/ims/src/grace.rs",
    "crates/ims/src/grace",
    "crates/ims/src/segments.rs",
    "crates/ims/src/posted",
    "crates/ims/src/store",
    "crates/ims/src/remap",
    "crates/ims/src/domain",
    "crates/ims/src/guest",
    "crates/ims/src/msix",
    "crates/ims/src/apic",
    "crates/ims-vfio/src/dma",
    "crates/ims-vfio/src/irqs",
    "crates/ims-vfio-user/src/client/rest.rs",
    "crates/ims-vfio-user/src/unanswered.rs",
    "crates/ims-dsa/src/bell.rs",
    "crates/ims-dsa/src/seat.rs",
    "crates/ims-dsa/src/group.rs",
    "crates/ims-dsa/src/group",
    "crates/ims-dsa/src/physical/interrupts.rs",
    "crates/ims-dsa/src/physical/ims_table.rs",
    "crates/ims-dsa/src/physical/vectors.rs",
    "crates/ims-virtio/src/interrupts",
    "crates/ims-virtio/src/queues/turn.rs",
    "crates/ims-virtio/src/vis",
];

/// How much longer than unchanged code a mutant may take, and no less than
/// [`SHORTEST`]: a weakened one may well go round for ever.
const PATIENCE: u32 = 10;
const SHORTEST: Duration = Duration::from_secs(120);

/// What to weaken.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only this file or directory, from the workspace's root.
    #[arg(long, value_name = "PATH")]
    file: Option<String>,
    /// Let the models look at every interleaving, however long it takes.
    #[arg(long)]
    full_models: bool,
    /// Only list what would be tried.
    #[arg(long)]
    list: bool,
}

/// A file and its mutants.
struct Suspect {
    file: String,
    text: String,
    mutants: Vec<Mutant>,
}

/// Tries all mutants; returns whether each was caught or has a reason not to be.
///
/// # Errors
/// If the models do not build, or do not pass on the unchanged code.
pub(crate) fn run(options: &Options) -> Result<bool, Failure> {
    let suspects = suspects(options)?;
    let count: usize = suspects.iter().map(|suspect| suspect.mutants.len()).sum();
    if count == 0 {
        return Err(Failure::Nothing(
            "no ordering to weaken in what was named".to_owned(),
        ));
    }
    let allowed = Allowed::load(tree::root())?;
    if options.list {
        for suspect in &suspects {
            for mutant in &suspect.mutants {
                println!("{}", suspect.name(mutant));
            }
        }
        return Ok(true);
    }

    let progress = Progress::new(count.saturating_add(1));
    let scratch = Scratch::new(options.full_models)?;
    let limit = baseline(&scratch, &progress)?;
    let mut tally = Tally::default();
    for suspect in &suspects {
        for mutant in &suspect.mutants {
            progress.start(&suspect.name(mutant));
            scratch.put(&suspect.file, &mutant.apply(&suspect.text))?;
            let verdict = scratch.judge(Some(limit), &progress)?;
            let line = mutant.source_line(&suspect.text);
            let reason = allowed.reason(&suspect.file, line, mutant);
            let word = tally.count(&verdict, reason);
            progress.say(&format!("{word}: {}", suspect.name(mutant)));
            progress.advance();
        }
        scratch.put(&suspect.file, &suspect.text)?;
    }
    drop(progress);
    println!(
        "{} caught, {} survived, {} allowed",
        tally.caught, tally.survived, tally.allowed
    );
    Ok(tally.survived == 0)
}

/// Runs the models on unchanged code: they must pass, and how long they take
/// says how long a mutant may.
fn baseline(scratch: &Scratch, progress: &Progress) -> Result<Duration, Failure> {
    progress.start("unchanged");
    // Once to build, so that the second time is the models' alone.
    scratch.judge(None, progress)?;
    let begin = Instant::now();
    let verdict = scratch.judge(None, progress)?;
    let wait = begin.elapsed().saturating_mul(PATIENCE).max(SHORTEST);
    progress.advance();
    match verdict {
        Verdict::Passed(0) => Err(Failure::Nothing("there is no model to run".to_owned())),
        Verdict::Passed(count) => {
            progress.say(&format!("{count} models pass on the unchanged code"));
            Ok(wait)
        }
        Verdict::Failed | Verdict::Undecided => Err(Failure::Nothing(
            "the models fail on the unchanged code; see `cargo xtask test`".to_owned(),
        )),
    }
}

/// What became of the mutants.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    caught: u32,
    survived: u32,
    allowed: u32,
}

impl Tally {
    fn count(&mut self, verdict: &Verdict, reason: Option<&str>) -> String {
        let (counter, word) = match (verdict, reason) {
            (Verdict::Failed, None) => (&mut self.caught, "caught".to_owned()),
            (Verdict::Failed, Some(_)) => (
                &mut self.caught,
                "caught (its exception is not needed)".to_owned(),
            ),
            (_, Some(reason)) => (&mut self.allowed, format!("allowed ({reason})")),
            (Verdict::Passed(_), None) => (&mut self.survived, "SURVIVED".to_owned()),
            (Verdict::Undecided, None) => (
                &mut self.survived,
                "SURVIVED (not decided in time)".to_owned(),
            ),
        };
        *counter = counter.saturating_add(1);
        word
    }
}

impl Suspect {
    fn name(&self, mutant: &Mutant) -> String {
        let Mutant {
            line,
            column,
            from,
            to,
            ..
        } = mutant;
        format!("{}:{line}:{column}: {from} → {to}", self.file)
    }
}

fn suspects(options: &Options) -> Result<Vec<Suspect>, Failure> {
    let places = match &options.file {
        Some(file) => vec![file.as_str()],
        None => PLACES
            .iter()
            .copied()
            .filter(|place| tree::root().join(place).exists())
            .collect(),
    };
    let mut suspects = Vec::new();
    for place in places {
        let mut sources = Vec::new();
        for path in tree::files(&tree::root().join(place))? {
            if path.extension().is_some_and(|extension| extension == "rs") {
                let text = tree::read(&path)?;
                sources.push((path, text));
            }
        }
        let tests: Vec<_> = sources
            .iter()
            .flat_map(|(path, text)| test_places(path, text))
            .collect();
        sources.retain(|(path, _)| !tests.iter().any(|place| path.starts_with(place)));
        suspects.extend(sources.into_iter().map(|(path, text)| {
            let mutants = mutant::find(&text);
            Suspect {
                file: tree::relative(&path),
                text,
                mutants,
            }
        }));
    }
    Ok(suspects)
}

/// The files and directories of the test modules that a file declares.
fn test_places(path: &Path, text: &str) -> Vec<PathBuf> {
    let is_root = ["mod.rs", "lib.rs", "main.rs"]
        .iter()
        .any(|name| path.ends_with(name));
    let room = if is_root {
        path.with_file_name("")
    } else {
        path.with_extension("")
    };
    let names = source::test_modules(text);
    names
        .iter()
        .flat_map(|name| [room.join(name), room.join(format!("{name}.rs"))])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_modules_in_files_of_their_own_lie_beside_or_below() {
        let text = "#[cfg(test)]\nmod tests;\nmod table;";
        let places = |path: &str| test_places(Path::new(path), text);
        let room = [
            Path::new("src/remap/tests"),
            Path::new("src/remap/tests.rs"),
        ];
        assert_eq!(places("src/remap/mod.rs"), room);
        assert_eq!(places("src/remap.rs"), room);
        let above = [Path::new("src/tests"), Path::new("src/tests.rs")];
        assert_eq!(places("src/lib.rs"), above);
    }

    #[test]
    fn the_posted_descriptor_is_under_suspicion() {
        let options = Options {
            file: None,
            full_models: false,
            list: true,
        };
        let suspects = suspects(&options).unwrap();
        let descriptor = "crates/ims/src/posted/descriptor.rs";
        let found = suspects
            .iter()
            .find(|suspect| suspect.file == descriptor)
            .unwrap();
        assert!(!found.mutants.is_empty());
        assert!(
            found
                .mutants
                .iter()
                .all(|mutant| mutant.apply(&found.text) != found.text)
        );
    }

    #[test]
    fn a_survivor_without_a_reason_counts_against() {
        let mut tally = Tally::default();
        assert_eq!(tally.count(&Verdict::Failed, None), "caught");
        assert_eq!(
            tally.count(&Verdict::Failed, Some("x")),
            "caught (its exception is not needed)"
        );
        assert_eq!(tally.count(&Verdict::Passed(3), Some("x")), "allowed (x)");
        assert_eq!(tally.count(&Verdict::Passed(3), None), "SURVIVED");
        assert_eq!(
            tally.count(&Verdict::Undecided, None),
            "SURVIVED (not decided in time)"
        );
        assert_eq!(
            tally,
            Tally {
                caught: 2,
                survived: 2,
                allowed: 1
            }
        );
    }
}
