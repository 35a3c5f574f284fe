// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A DSA as its users meet it: a virtual device, served over vfio-user and driven by
//! the driver in user space.

mod copies;
mod interfaces;
mod latency;
mod subject;
mod submissions;

use super::Outcome;
use super::progress::Progress;
use super::row::Row;
use super::timing::Effort;
use subject::Subject;

/// Steps of [`measure`].
pub(super) const PARTS: u64 = 4;

/// Everything.
///
/// # Errors
/// What could not be measured.
pub(super) fn measure(effort: Effort, progress: &Progress) -> Outcome<Vec<Row>> {
    let mut rows = Vec::new();
    let mut part = |name: &str, run: &mut dyn FnMut() -> Outcome<Vec<Row>>| -> Outcome<()> {
        progress.start(name);
        rows.extend(run()?);
        progress.advance();
        Ok(())
    };
    let mut subject = Subject::new()?;
    part("descriptors", &mut || {
        submissions::rows(effort, &mut subject)
    })?;
    part("copies", &mut || copies::rows(effort, &mut subject))?;
    part("interrupts", &mut || latency::rows(effort, &mut subject))?;
    drop(subject);
    part("interfaces", &mut || interfaces::rows(effort))?;
    Ok(rows)
}
