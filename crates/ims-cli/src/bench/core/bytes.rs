// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What one interrupt takes, all rooms together.

use super::super::Outcome;
use super::super::row::Row;
use super::PER_CPU;
use super::host::{Host, table};

/// What a host (`ims-host`) adds for each interrupt: a pointer to its handler, and
/// the count of interrupts taken. What the handler itself takes is its owner's.
const HANDLER: f64 = 8.0 + 8.0;
/// From how many interrupts on the budget holds.
const FROM: u32 = 65_536;
const BUDGET: f64 = 128.0;

pub(super) fn rows() -> Outcome<Vec<Row>> {
    [1_000, 65_536, 100_000].map(measured).into_iter().collect()
}

fn measured(count: u32) -> Outcome<Row> {
    Ok(row(
        count,
        Host::new(count, 0, count.div_ceil(PER_CPU), table)?.bytes,
    ))
}

/// The row for `count` interrupts that take `bytes`.
pub(super) fn row(count: u32, bytes: usize) -> Row {
    let each = bytes as f64 / f64::from(count) + HANDLER;
    let row = Row::new(format!("bytes an interrupt, of {count}"), each, "bytes")
        .note(format!("{HANDLER} of them the host's handler and count"));
    if count >= FROM {
        row.at_most(BUDGET)
    } else {
        row
    }
}
