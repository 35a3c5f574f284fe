// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A guest unmasks its vectors one at a time, each in an exit of its vCPU, and each
//! has an eventfd that somebody else writes.

use super::super::Outcome;
use super::super::descriptors::shortage;
use super::super::row::Row;
use super::super::still::Still;
use super::super::timing::{Effort, figure, ratio};
use super::devices::{all_send, interrupts, masked, unmask, wait_promoted};
use super::rewrite::{BATCH, REWRITE, at_once, one_by_one};
use super::senders::ROUTED;
use super::{Known, rounds};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many vectors, and how often: the last take the neighbour seconds. Beside 24
/// pins no more have a route than the last.
const SIZES: [(u32, usize); 4] = [(256, 15), (1024, 9), (2048, 7), (ROUTED, 3)];

/// At how many vectors the budget holds, and how many times faster.
const BUDGET: (u32, f64) = (2048, 100.0);

/// What one round took.
struct Ours {
    /// In the exits; then everything is deliverable.
    exits: Duration,
    longest: Duration,
    /// From the first exit until all eventfds are irqfds.
    irqfds: Duration,
}

/// Microseconds, of all rounds in order.
#[derive(Default)]
struct Rounds {
    exits: Vec<f64>,
    longest: Vec<f64>,
    irqfds: Vec<f64>,
    rewritten: Vec<f64>,
    rewritten_longest: Vec<f64>,
    batched: Vec<f64>,
}

/// Every size.
///
/// # Errors
/// What KVM says.
pub(super) fn rows(effort: Effort, known: &mut Known) -> Outcome<Vec<Row>> {
    let mut rows = Vec::new();
    for (vectors, full) in SIZES {
        if let Some(why) = shortage(vectors.into())? {
            let name = format!("{vectors} vectors unmasked one by one");
            rows.push(Row::skipped(name, "µs", &why));
            continue;
        }
        let mut all = Rounds::default();
        for _ in 0..rounds(effort, full) {
            all.measure(vectors)?;
        }
        rows.extend(all.rows(vectors));
        if vectors == ROUTED {
            known.rewritten = Some(median(&all.rewritten));
        }
    }
    Ok(rows)
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn median(batches: &[f64]) -> f64 {
    figure(batches.to_vec()).median
}

impl Rounds {
    fn measure(&mut self, vectors: u32) -> Outcome<()> {
        let ours = ours(vectors)?;
        self.exits.push(micros(ours.exits));
        self.longest.push(micros(ours.longest));
        self.irqfds.push(micros(ours.irqfds));
        self.batched.push(micros(at_once(vectors)?));
        let rewritten = one_by_one(vectors)?;
        self.rewritten.push(micros(rewritten.all));
        self.rewritten_longest.push(micros(rewritten.longest));
        Ok(())
    }

    fn rows(&self, vectors: u32) -> Vec<Row> {
        let name = |what: &str| format!("{vectors} vectors unmasked one by one, {what}");
        let rewritten = median(&self.rewritten);
        let row = |what: &str, value| Row::new(name(what), value, "µs");
        let mut rows = vec![
            row("in the exits", median(&self.exits))
                .compared(REWRITE, rewritten)
                .note("all are deliverable then; eventfds were made and messages written before, for the neighbours too"),
            row("the longest exit", median(&self.longest))
                .compared(REWRITE, median(&self.rewritten_longest)),
            row("until all are irqfds", median(&self.irqfds))
                .compared(REWRITE, rewritten)
                .note("a commit after the last exit; the forwarder has begun before"),
            row("until all are irqfds, beside a batch", median(&self.irqfds))
                .compared(BATCH, median(&self.batched)),
        ];
        if vectors == BUDGET.0 {
            let times = |what: &str, ours: &[f64]| {
                Row::new(
                    format!("rewrite / {}", name(what)),
                    ratio(&self.rewritten, ours),
                    "x",
                )
                .at_least(BUDGET.1)
            };
            rows.push(times("in the exits", &self.exits));
            rows.push(times("until all are irqfds", &self.irqfds));
        }
        rows
    }
}

fn ours(vectors: u32) -> Outcome<Ours> {
    let still = Still::new()?;
    let interrupts = interrupts(Arc::clone(&still.vm), None)?;
    let mut devices = masked(&interrupts, vectors)?;
    let begun = Instant::now();
    let (mut exits, mut longest) = (Duration::ZERO, Duration::ZERO);
    for device in &mut devices {
        for vector in 0..device.config().vectors {
            let exit = Instant::now();
            unmask(device, vector);
            let exit = exit.elapsed();
            exits += exit;
            longest = longest.max(exit);
        }
    }
    interrupts.batch().commit()?;
    wait_promoted(&interrupts, vectors.into())?;
    let irqfds = begun.elapsed();
    if !devices.iter().all(all_send) {
        return Err("a vector was unmasked and does not send".into());
    }
    Ok(Ours {
        exits,
        longest,
        irqfds,
    })
}
