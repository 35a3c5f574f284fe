// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the machine takes to read memory it has not at hand: the neighbour of
//! everything random in a million, which is little but such reads.

use super::super::Outcome;
use super::super::timing::repeat;
use super::random::Random;
use std::hint::black_box;
use std::time::Duration;

/// Name of the neighbour.
pub(super) const NAME: &str = "one random read of 64 MiB";
/// Words of 32 bits: 64 MiB, about what a million slots, records and entries take.
const WORDS: u32 = 1 << 24;
const AT_ONCE: u32 = 4096;

/// The memory.
pub(super) struct Reads {
    words: Vec<u32>,
    random: Random,
}

impl Reads {
    pub(super) fn new() -> Self {
        Self {
            // Not zero, which the kernel would give one page for all.
            words: vec![1; WORDS as usize],
            random: Random::new(WORDS),
        }
    }

    /// Measures reads each of which must wait for the one before.
    pub(super) fn run(&mut self, batch: Duration) -> Outcome<f64> {
        repeat(batch, |watch| {
            watch.time(AT_ONCE.into(), || {
                let mut read = 0;
                for _ in 0..AT_ONCE {
                    let at = (self.random.below(WORDS) ^ read) as usize;
                    read = self.words.get(at).copied().unwrap_or_default();
                }
                black_box(read);
            });
            Ok(())
        })
    }
}
