// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Interrupts of a KVM guest, beside what VMMs do for them now.

mod calls;
mod counted;
mod devices;
mod guest;
mod latency;
mod mask;
mod migration;
mod rest;
mod rewrite;
mod senders;
mod sources;
mod unmask;
mod ways;

use super::Outcome;
use super::progress::Progress;
use super::row::Row;
use super::still::Still;
use super::timing::Effort;

/// A part's name, which its row has if there is no KVM, and what it measures.
type Part = (&'static str, fn(Effort, &mut Known) -> Outcome<Vec<Row>>);

/// What takes long and two parts compare with.
#[derive(Debug, Default)]
struct Known {
    /// Microseconds of the rewrites for as many vectors as can have a route.
    rewritten: Option<f64>,
}

const MEASURED: [Part; 7] = [
    ("vectors unmasked one by one", unmask::rows),
    ("irqfds masked", |effort, _| mask::rows(effort)),
    ("100,000 sources", |effort, _| sources::rows(effort)),
    ("a call for each interrupt", |effort, _| calls::rows(effort)),
    ("to the guest's handler", |effort, _| latency::rows(effort)),
    ("save and restore", migration::rows),
    ("vectors at rest", |_, _| rest::rows()),
];

/// Steps of [`measure`].
pub(super) const PARTS: u64 = MEASURED.len() as u64;

/// Everything.
///
/// # Errors
/// What could not be measured, but for a KVM that is not there: that is said in the
/// rows.
pub(super) fn measure(effort: Effort, progress: &Progress) -> Outcome<Vec<Row>> {
    let missing = Still::new().err();
    let mut known = Known::default();
    let mut rows = Vec::new();
    for (name, measured) in MEASURED {
        progress.start(name);
        match &missing {
            None => rows.extend(measured(effort, &mut known)?),
            Some(error) => rows.push(Row::skipped(
                name,
                "ns",
                &format!("no VM with /dev/kvm: {error}"),
            )),
        }
        progress.advance();
    }
    Ok(rows)
}

/// How often something that takes long is done.
fn rounds(effort: Effort, full: usize) -> usize {
    if effort.is_quick() { 1 } else { full }
}
