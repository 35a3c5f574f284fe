// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reads what Rust's test harness prints and counts it.
//!
//! Tests are run with `--show-output`, so that a passing test's words come after
//! the results, in a section of their own, and one that could not do its work
//! can say so: `SKIPPED <test name>: <reason>`, at the start of a line. To the
//! harness such a test has passed; here it counts as skipped.

use crate::step::Outcome;
use crate::tally::Tally;
use std::collections::BTreeSet;

/// What a run of any number of test binaries came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Results {
    /// The counts, skips already moved from passed to skipped.
    pub(crate) tally: Tally,
    /// What skipped tests said: `<test name>: <reason>`.
    pub(crate) skips: Vec<String>,
}

/// Where in a binary's output a line stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Between,
    Running,
    Successes,
    Failures,
}

/// Reads the merged output of `cargo test … -- --show-output`.
///
/// A binary that began and never gave a result (it aborted, or was killed)
/// counts as one failure.
pub(crate) fn read(output: &str) -> Results {
    let mut results = Results::default();
    let mut section = Section::Between;
    let mut skips = BTreeSet::new();
    for line in output.lines() {
        match section {
            Section::Between | Section::Running if is_header(line) => {
                if section == Section::Running {
                    results.tally += Tally::FAILED;
                }
                section = Section::Running;
                skips.clear();
            }
            Section::Running | Section::Successes if line == "failures:" => {
                section = Section::Failures;
            }
            Section::Running if line == "successes:" => section = Section::Successes,
            _ => {}
        }
        if let Some(counts) = result_line(line) {
            results.tally += with_skips(counts, skips.len());
            results.skips.extend(std::mem::take(&mut skips));
            section = Section::Between;
        } else if section != Section::Failures
            && let Some(skip) = line.strip_prefix("SKIPPED ")
        {
            // The same line twice is one test saying it twice.
            skips.insert(skip.trim().to_owned());
        }
    }
    if section != Section::Between {
        results.tally += Tally::FAILED;
    }
    results
}

/// The outcome of a whole test command: its results, and whether the command
/// itself failed without any test doing so (it did not build, for one).
pub(crate) fn outcome(output: String, succeeded: bool) -> Outcome {
    let Results { mut tally, skips } = read(&output);
    if !succeeded && tally.failed == 0 {
        tally += Tally::FAILED;
    }
    Outcome {
        tally,
        skips,
        output,
    }
}

/// `running 12 tests`
fn is_header(line: &str) -> bool {
    line.strip_prefix("running ")
        .and_then(|rest| {
            rest.strip_suffix(" tests")
                .or_else(|| rest.strip_suffix(" test"))
        })
        .is_some_and(|count| count.parse::<u64>().is_ok())
}

/// `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; …`
fn result_line(line: &str) -> Option<Tally> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let mut tally = Tally::default();
    for part in counts.split("; ") {
        match part.split_once(' ') {
            Some((count, "passed")) => tally.passed = count.parse().ok()?,
            Some((count, "failed")) => tally.failed = count.parse().ok()?,
            Some((count, "ignored")) => tally.skipped = count.parse().ok()?,
            _ => {}
        }
    }
    Some(tally)
}

/// Moves what was skipped out of what passed; no more than passed.
fn with_skips(mut tally: Tally, skips: usize) -> Tally {
    let moved = u64::try_from(skips).unwrap_or(u64::MAX).min(tally.passed);
    tally.passed = tally.passed.saturating_sub(moved);
    tally.skipped = tally.skipped.saturating_add(moved);
    tally
}

#[cfg(test)]
mod tests {
    use super::*;

    const OK: &str = "test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; \
                      7 filtered out; finished in 0.00s\n";

    fn tally(passed: u64, failed: u64, skipped: u64) -> Tally {
        Tally {
            passed,
            failed,
            skipped,
        }
    }

    #[test]
    fn counts_add_up_over_binaries_and_doc_tests() {
        let output = format!(
            "   Compiling ims v0.1.0\n     Running unittests src/lib.rs (x)\n\nrunning 3 tests\n\
             test a ... ok\ntest b ... ok\ntest c ... ignored\n\n{OK}\n   Doc-tests ims\n\n\
             running 1 test\ntest src/lib.rs - x (line 3) ... ok\n\ntest result: ok. 1 passed; \
             0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s\n\n\
             all doctests ran in 0.21s; merged doctests compilation took 0.10s\n"
        );
        assert_eq!(
            read(&output),
            Results {
                tally: tally(3, 0, 1),
                skips: vec![]
            }
        );
    }

    #[test]
    fn failures_are_counted() {
        let output = "running 2 tests\ntest a ... FAILED\ntest b ... ok\n\nfailures:\n\n\
                      ---- a stdout ----\nthread panicked\n\nfailures:\n    a\n\n\
                      test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; \
                      0 filtered out; finished in 0.00s\n";
        assert_eq!(read(output).tally, tally(1, 1, 0));
    }

    #[test]
    fn a_skip_that_is_told_turns_one_passed_into_skipped() {
        let output = format!(
            "running 3 tests\n\nsuccesses:\n\n---- a stdout ----\nSKIPPED a: no KVM here\n\
             SKIPPED a: no KVM here\n\nsuccesses:\n    a\n    b\n\n{OK}"
        );
        let expected = Results {
            tally: tally(1, 0, 2),
            skips: vec!["a: no KVM here".to_owned()],
        };
        assert_eq!(read(&output), expected);
    }

    #[test]
    fn what_is_not_at_the_start_of_a_line_or_of_a_failed_test_is_no_skip() {
        let output = "running 2 tests\n\nsuccesses:\n\n---- a stdout ----\nwas SKIPPED a: no\n\n\
                      failures:\n\n---- b stdout ----\nSKIPPED b: gone\n\n\
                      test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; \
                      0 filtered out; finished in 0.00s\n";
        assert_eq!(
            read(output),
            Results {
                tally: tally(1, 1, 0),
                skips: vec![]
            }
        );
    }

    #[test]
    fn no_more_is_skipped_than_passed() {
        let output = format!("running 2 tests\nSKIPPED a: x\nSKIPPED b: x\nSKIPPED c: x\n{OK}");
        assert_eq!(read(&output).tally, tally(0, 0, 3));
    }

    #[test]
    fn a_binary_that_dies_without_a_result_is_a_failure() {
        let died = "running 5 tests\ntest a ... ok\nerror: test failed (signal: 6, SIGABRT)\n";
        assert_eq!(read(died).tally, tally(0, 1, 0));
        let first_of_two = format!("{died}\nrunning 2 tests\n{OK}");
        assert_eq!(read(&first_of_two).tally, tally(2, 1, 1));
    }

    #[test]
    fn a_command_that_fails_without_a_failed_test_is_one_failure() {
        let broken = "error[E0308]: mismatched types\n".to_owned();
        assert_eq!(outcome(broken, false).tally, tally(0, 1, 0));
        assert_eq!(outcome(OK.to_owned(), true).tally, tally(2, 0, 1));
        let failed = "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured\n";
        assert_eq!(outcome(failed.to_owned(), false).tally, tally(1, 2, 0));
    }

    #[test]
    fn a_test_that_prints_a_header_of_its_own_is_not_counted() {
        let output =
            format!("running 2 tests\n\nsuccesses:\n\n---- a stdout ----\nrunning 9 tests\n\n{OK}");
        assert_eq!(read(&output).tally, tally(2, 0, 1));
    }
}
