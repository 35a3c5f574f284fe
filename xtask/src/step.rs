// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A list of steps, each of which counts checks, run one after the other.

use crate::failure::Failure;
use crate::progress::Progress;
use crate::tally::Tally;
use std::time::Instant;

/// One entry of a list of checks.
pub(crate) struct Step {
    /// What is checked.
    pub(crate) name: String,
    run: Box<dyn Fn(&Progress) -> Outcome>,
}

/// What a step found.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// How many checks it made.
    pub(crate) tally: Tally,
    /// Why something was skipped, a line each.
    pub(crate) skips: Vec<String>,
    /// What to show in full if something failed.
    pub(crate) output: String,
}

impl Outcome {
    /// One check that passed.
    pub(crate) fn passed() -> Self {
        Self {
            tally: Tally::PASSED,
            ..Self::default()
        }
    }

    /// One check that failed, and what there is to know about it.
    pub(crate) fn failed(output: impl ToString) -> Self {
        Self {
            tally: Tally::FAILED,
            skips: Vec::new(),
            output: output.to_string(),
        }
    }

    /// One check that was not made.
    pub(crate) fn skipped(reason: impl ToString) -> Self {
        Self {
            tally: Tally::SKIPPED,
            skips: vec![reason.to_string()],
            output: String::new(),
        }
    }
}

/// A check that failed or could not be made; both fail the step.
impl<E: std::fmt::Display> From<Result<(), E>> for Outcome {
    fn from(result: Result<(), E>) -> Self {
        match result {
            Ok(()) => Self::passed(),
            Err(error) => Self::failed(error),
        }
    }
}

impl Step {
    /// A step that counts for itself.
    pub(crate) fn new(
        name: impl Into<String>,
        run: impl Fn(&Progress) -> Outcome + 'static,
    ) -> Self {
        Self {
            name: name.into(),
            run: Box::new(run),
        }
    }

    /// A step that is one check.
    pub(crate) fn check(
        name: impl Into<String>,
        check: impl Fn(&Progress) -> Result<(), Failure> + 'static,
    ) -> Self {
        Self::new(name, move |progress| check(progress).into())
    }
}

/// Runs all steps, also after one that failed, and prints the tally as the last
/// line. Returns whether nothing failed.
pub(crate) fn run_all(steps: &[Step]) -> bool {
    let mut total = Tally::default();
    let progress = Progress::new(steps.len());
    for step in steps {
        progress.start(&step.name);
        let begin = Instant::now();
        let outcome = (step.run)(&progress);
        for reason in &outcome.skips {
            progress.say(&format!("skipped: {}: {reason}", step.name));
        }
        if outcome.tally.failed > 0 {
            progress.say(&format!("--- {} failed; its output:", step.name));
            progress.say(outcome.output.trim_end());
            progress.say(&format!("--- end of the output of {}", step.name));
        }
        let seconds = begin.elapsed().as_secs_f64();
        progress.say(&format!(
            "{}: {} ({seconds:.1} s)",
            step.name, outcome.tally
        ));
        total += outcome.tally;
        progress.advance();
    }
    drop(progress);
    println!("{total}");
    total.failed == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::rc::Rc;

    #[test]
    fn a_failure_fails_the_whole_but_stops_nothing() {
        let ran = Rc::new(Cell::new(0));
        let count = |outcome: fn() -> Outcome| {
            let ran = Rc::clone(&ran);
            Step::new("step", move |_| {
                ran.set(ran.get() + 1);
                outcome()
            })
        };
        assert!(run_all(&[
            count(Outcome::passed),
            count(|| Outcome::skipped("why"))
        ]));
        assert!(!run_all(&[
            count(|| Outcome::failed("broken")),
            count(Outcome::passed)
        ]));
        assert_eq!(ran.get(), 4);
    }

    #[test]
    fn a_check_that_cannot_be_made_is_a_failure() {
        let step = Step::check("step", |_| Err(Failure::Nothing("no models".to_owned())));
        let outcome = (step.run)(&Progress::new(1));
        assert_eq!(outcome.tally, Tally::FAILED);
        assert_eq!(outcome.output, "no models");
    }
}
