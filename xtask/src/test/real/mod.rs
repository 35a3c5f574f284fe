// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Real parts: what the interrupt stack is proven on, where it can be had.
//!
//! To add one, write a file with its probe and its check beside `kvm.rs` and
//! name it in [`parts`].

mod kvm;
mod qemu;

use crate::failure::Failure;
use crate::progress::Progress;
use crate::step::{Outcome, Step};

/// Whether a real part can be had on this machine.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    /// It can.
    Available,
    /// It cannot, for this reason.
    Missing(String),
}

/// What a missing part means under `--real`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WhenMissing {
    /// The machine cannot be made to have it: skipped all the same.
    Skip,
    /// Whoever asks for real parts can install it: a failure.
    Fail,
}

/// A real part and what is checked on it.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) name: &'static str,
    /// What must be there, for whoever wants to have it.
    pub(crate) needs: &'static str,
    pub(crate) when_missing: WhenMissing,
    /// Asked with whether real parts are asked for: only then may one count as
    /// there that must be fetched first.
    pub(crate) probe: fn(bool) -> Presence,
    pub(crate) run: fn(&Progress) -> Result<(), Failure>,
}

/// All real parts.
pub(crate) fn parts() -> Vec<Part> {
    vec![kvm::PART, qemu::PART]
}

impl Part {
    /// The part as a step. A part that is there is checked with and without
    /// `real`; `real` decides what it means if it is not.
    pub(crate) fn into_step(self, real: bool) -> Step {
        Step::new(
            format!("real part: {}", self.name),
            move |progress| match (self.probe)(real) {
                Presence::Available => (self.run)(progress).into(),
                Presence::Missing(reason) => self.missing(real, &reason),
            },
        )
    }

    fn missing(&self, real: bool, reason: &str) -> Outcome {
        let reason = format!("{reason} (needs {})", self.needs);
        match self.when_missing {
            WhenMissing::Fail if real => Outcome::failed(reason),
            WhenMissing::Fail | WhenMissing::Skip => Outcome::skipped(reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tally::Tally;

    const PART: Part = Part {
        name: "part",
        needs: "a thing",
        when_missing: WhenMissing::Fail,
        probe: |_| Presence::Missing("not here".to_owned()),
        run: |_| Ok(()),
    };

    #[test]
    fn a_missing_part_is_skipped_and_under_real_fails() {
        let outcome = PART.missing(false, "not here");
        assert_eq!(outcome.tally, Tally::SKIPPED);
        assert_eq!(outcome.skips, ["not here (needs a thing)"]);
        assert_eq!(PART.missing(true, "not here").tally, Tally::FAILED);
    }

    #[test]
    fn a_part_that_cannot_be_had_is_skipped_under_real_too() {
        let part = Part {
            when_missing: WhenMissing::Skip,
            ..PART
        };
        assert_eq!(part.missing(true, "not here").tally, Tally::SKIPPED);
    }

    #[test]
    fn a_part_that_is_there_is_checked_in_both_modes() {
        for real in [false, true] {
            let part = Part {
                probe: |_| Presence::Available,
                run: |_| Err(Failure::Nothing("broken".to_owned())),
                ..PART
            };
            assert!(!crate::step::run_all(&[part.into_step(real)]));
        }
    }
}
