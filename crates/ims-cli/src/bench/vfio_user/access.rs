// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One register, read, and written with an acknowledgement.

use super::super::Outcome;
use super::super::row::Row;
use super::super::timing::{Effort, repeat};
use super::client::Client;
use super::compared::compare;
use super::servers::{Served, Servers};
use std::time::Duration;

/// Round trips between two looks at the watch.
const AT_ONCE: u64 = 16;

/// How much of the floor this server may take more.
const BUDGET: f64 = 1.02;

/// Both.
///
/// # Errors
/// What a client reports.
pub(super) fn rows(effort: Effort, servers: &mut Servers) -> Outcome<Vec<Row>> {
    let mut rows = one(effort, servers, "read a register", Client::read)?;
    let name = "write a register, acknowledged";
    rows.extend(one(effort, servers, name, Client::write)?);
    Ok(rows)
}

fn one(
    effort: Effort,
    servers: &mut Servers,
    name: &str,
    access: fn(&mut Client) -> Outcome<()>,
) -> Outcome<Vec<Row>> {
    let compared = compare(effort.for_pairs(), servers, |served, batch| {
        round_trips(served, batch, access)
    })?;
    let mut rows = Vec::from(compared.rows(name));
    let times = Row::new(format!("{name} / floor"), compared.over_floor(), "x")
        .at_most(BUDGET)
        .note("median of the rounds' ratios; client and servers on one CPU");
    rows.push(times);
    Ok(rows)
}

fn round_trips(
    served: &mut Served,
    batch: Duration,
    access: fn(&mut Client) -> Outcome<()>,
) -> Outcome<f64> {
    repeat(batch, |watch| {
        watch.time(AT_ONCE, || {
            (0..AT_ONCE).try_for_each(|_| access(&mut served.client))
        })
    })
}
