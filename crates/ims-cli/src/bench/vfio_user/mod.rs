// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The vfio-user server's budgets, beside the published crate's server and a floor.

mod access;
mod client;
mod compared;
mod device;
mod dma_write;
mod floor;
mod idle;
mod maps;
mod posted;
mod published;
mod servers;
mod signal;
mod untouched;
mod vectors;

use super::Outcome;
use super::cpu::Pinned;
use super::progress::Progress;
use super::row::Row;
use super::timing::Effort;
use servers::Servers;

/// Steps of [`measure`].
pub(super) const PARTS: u64 = 8;

/// Everything.
///
/// # Errors
/// What could not be measured, but for what this machine has not: that is said in
/// its row.
pub(super) fn measure(effort: Effort, progress: &Progress) -> Outcome<Vec<Row>> {
    let mut rows = Vec::new();
    let mut part = |name: &str, run: &mut dyn FnMut() -> Outcome<Vec<Row>>| -> Outcome<()> {
        progress.start(name);
        rows.extend(run()?);
        progress.advance();
        Ok(())
    };
    let pinned = Pinned::here()?;
    let mut servers = Servers::start()?;
    part("registers", &mut || access::rows(effort, &mut servers))?;
    part("triggers", &mut || vectors::rows(effort, &mut servers))?;
    part("posted writes", &mut || posted::rows(effort, &mut servers))?;
    drop(servers);
    part("maps", &mut || maps::rows(effort))?;
    part("interrupts by message", &mut || dma_write::rows(effort))?;
    drop(pinned);
    part("signals", &mut || signal::rows(effort))?;
    part("idle devices", &mut idle::rows)?;
    part("idle vectors", &mut untouched::rows)?;
    Ok(rows)
}
