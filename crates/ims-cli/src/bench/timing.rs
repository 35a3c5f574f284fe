// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Batches, medians, and subjects measured in turns.

use super::Outcome;
use std::time::{Duration, Instant};

/// How much measuring.
#[derive(Debug, Clone, Copy)]
pub(super) struct Effort {
    batches: usize,
    batch: Duration,
}

impl Effort {
    pub(super) fn new(quick: bool) -> Self {
        if quick {
            Self {
                batches: 7,
                batch: Duration::from_millis(3),
            }
        } else {
            Self {
                batches: 15,
                batch: Duration::from_millis(20),
            }
        }
    }

    /// Whether it is to be seconds.
    pub(super) fn is_quick(self) -> bool {
        self.batches < Self::new(false).batches
    }

    /// As long, in more and shorter batches: what is wanted of pairs is their ratio,
    /// and that no disturbance covers many of them.
    pub(super) fn for_pairs(self) -> Self {
        const FINER: u32 = 4;
        Self {
            batches: self.batches * FINER as usize,
            batch: self.batch / FINER,
        }
    }
}

/// Nanoseconds an operation, over all batches.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Figure {
    pub(super) median: f64,
    /// The best batch: what the machine can do when nobody else is at it.
    pub(super) best: f64,
}

/// Something that can be measured for about as long as it is told, and says what
/// one operation took, in nanoseconds.
pub(super) type Subject<'a, T = f64> = &'a mut dyn FnMut(Duration) -> Outcome<T>;

/// Measures subjects in turns, a batch each, so that whatever disturbs one
/// disturbs the others.
///
/// # Errors
/// The first that a subject reports.
pub(super) fn in_turns<const N: usize>(
    effort: Effort,
    subjects: [Subject<'_>; N],
) -> Outcome<[Figure; N]> {
    Ok(rounds(effort, subjects)?.map(figure))
}

/// The same, but returns what came of each subject's batches, in order: the first
/// ones belong together, and so on.
///
/// # Errors
/// The first that a subject reports.
pub(super) fn rounds<T, const N: usize>(
    effort: Effort,
    mut subjects: [Subject<'_, T>; N],
) -> Outcome<[Vec<T>; N]> {
    let mut batches = [const { Vec::new() }; N];
    for subject in &mut subjects {
        // Warms caches and branch predictors; not counted.
        subject(effort.batch / 4)?;
    }
    for _ in 0..effort.batches {
        for (subject, batches) in subjects.iter_mut().zip(&mut batches) {
            batches.push(subject(effort.batch)?);
        }
    }
    Ok(batches)
}

/// Median and best of what batches took.
pub(super) fn figure(mut batches: Vec<f64>) -> Figure {
    batches.sort_by(f64::total_cmp);
    let at = |at: usize| batches.get(at).copied().unwrap_or(f64::NAN);
    Figure {
        median: at(batches.len() / 2),
        best: at(0),
    }
}

/// The median of how many times each of `under` goes into its partner of `over`.
/// What slows a whole round down does not move it.
pub(super) fn ratio(over: &[f64], under: &[f64]) -> f64 {
    let ratios = over.iter().zip(under).map(|(over, under)| over / under);
    figure(ratios.collect()).median
}

/// Counts operations, and the time they took, leaving out what lies between.
#[derive(Debug, Default)]
pub(super) struct Watch {
    timed: Duration,
    operations: u64,
}

impl Watch {
    /// Times `operations` operations.
    #[inline]
    pub(super) fn time<R>(&mut self, operations: u64, run: impl FnOnce() -> R) -> R {
        let start = Instant::now();
        let result = run();
        self.timed += start.elapsed();
        self.operations += operations;
        result
    }

    /// Nanoseconds an operation.
    pub(super) fn each(&self) -> f64 {
        self.timed.as_secs_f64() * 1e9 / self.operations as f64
    }

    /// Whether that much time was counted.
    pub(super) fn has_run(&self, batch: Duration) -> bool {
        self.timed >= batch
    }
}

/// Repeats `part` until it has counted as much time as a batch has.
///
/// # Errors
/// What `part` reports.
pub(super) fn repeat(
    batch: Duration,
    mut part: impl FnMut(&mut Watch) -> Outcome<()>,
) -> Outcome<f64> {
    let mut watch = Watch::default();
    while !watch.has_run(batch) {
        part(&mut watch)?;
    }
    Ok(watch.each())
}

/// Times `operation`, many at a time.
///
/// # Errors
/// What `operation` reports.
pub(super) fn plain<E: Into<Box<dyn std::error::Error>>>(
    batch: Duration,
    mut operation: impl FnMut() -> Result<(), E>,
) -> Outcome<f64> {
    const AT_ONCE: u64 = 256;
    repeat(batch, |watch| {
        watch
            .time(AT_ONCE, || (0..AT_ONCE).try_for_each(|_| operation()))
            .map_err(Into::into)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slow_batch_moves_neither_median_nor_best() {
        let figure = figure(vec![3.0, 900.0, 1.0]);
        assert_eq!((figure.median, figure.best), (3.0, 1.0));
    }

    #[test]
    fn a_ratio_is_of_pairs_and_a_slow_round_does_not_move_it() {
        assert_eq!(ratio(&[2.0, 400.0, 4.2], &[1.0, 200.0, 2.0]), 2.0);
    }

    #[test]
    fn subjects_take_turns_and_an_error_ends_the_run() {
        let turns = std::cell::RefCell::new(String::new());
        let outcome = in_turns(
            Effort::new(true),
            [
                &mut |_| {
                    turns.borrow_mut().push('a');
                    Ok(1.0)
                },
                &mut |_| {
                    turns.borrow_mut().push('b');
                    if turns.borrow().len() < 6 {
                        Ok(2.0)
                    } else {
                        Err("enough".into())
                    }
                },
            ],
        );
        assert_eq!(outcome.unwrap_err().to_string(), "enough");
        assert_eq!(*turns.borrow(), "ababab");
    }

    #[test]
    fn time_between_parts_is_not_counted() {
        let mut watch = Watch::default();
        watch.time(2, || std::thread::sleep(Duration::from_millis(2)));
        let counted = watch.each();
        std::thread::sleep(Duration::from_millis(5));
        assert_eq!(watch.each(), counted);
        assert!(counted >= 1e6 && watch.has_run(Duration::from_millis(2)));
    }
}
