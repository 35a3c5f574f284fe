// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The core's budgets.

mod bytes;
mod calls;
mod control;
mod host;
mod mask;
mod million;
mod raise;
mod random;
mod reads;
mod scale;
mod stores;

use super::Outcome;
use super::progress::Progress;
use super::row::Row;
use super::timing::Effort;
use calls::Calls;

/// Steps of [`measure`].
pub(super) const PARTS: u64 = 8;

/// Interrupts on one CPU, of the 204 or so that it has vectors for.
const PER_CPU: u32 = 200;

/// Everything.
///
/// # Errors
/// What could not be measured, but for what needs a KVM that is not there: that
/// is said in its row.
pub(super) fn measure(effort: Effort, progress: &Progress) -> Outcome<Vec<Row>> {
    let mut calls = Calls::new()?;
    let mut rows = Vec::new();
    let mut part = |name: &str, run: &mut dyn FnMut() -> Outcome<Vec<Row>>| -> Outcome<()> {
        progress.start(name);
        rows.extend(run()?);
        progress.advance();
        Ok(())
    };
    part("raise, and what others take", &mut || {
        raise::rows(effort, &mut calls)
    })?;
    part("raise by store", &mut || stores::rows(effort, &mut calls))?;
    part("raise by more threads", &mut || scale::rows(effort))?;
    part("mask and unmask", &mut || mask::rows(effort))?;
    part("bytes", &mut bytes::rows)?;
    let mut small = Vec::new();
    part("1,000 and 65,536 interrupts", &mut || {
        small = control::small(effort)?;
        Ok(Vec::new())
    })?;
    part("4,000 random interrupts", &mut || {
        random::four_thousand(effort)
    })?;
    part("1,000,000 interrupts", &mut || {
        million::rows(effort, &small)
    })?;
    Ok(rows)
}
