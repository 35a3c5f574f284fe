// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Posted writes, in bursts. Each is sent by itself, as QEMU does; a read after each
//! burst waits until all are executed, and is counted with them.
//!
//! On one CPU client and server get in each other's way: a server that wakes at the
//! first write takes the CPU before the second is sent, and a client that blocks for
//! the reply wakes whenever a write is taken. Both are worse for a server that takes
//! writes one by one. So what is left without that is measured, too.

use super::super::Outcome;
use super::super::row::Row;
use super::super::timing::Effort;
use super::compared::{Compared, compare};
use super::servers::{Served, Servers};
use std::time::{Duration, Instant};

/// What a write costs, in nanoseconds.
#[derive(Debug, Clone, Copy)]
struct Cost {
    /// Of everybody's time.
    whole: f64,
    /// Of the server's.
    server: f64,
}

/// Writes in a burst, and what is asked.
struct Burst {
    writes: u32,
    /// How many times the floor's rate.
    faster: f64,
    /// How many times less of the server's CPU.
    less: f64,
}

/// A guest's submission of 64 bytes, and so many that a server's CPU is its limit.
const BURSTS: [Burst; 2] = [
    Burst {
        writes: 8,
        faster: 1.3,
        less: 2.0,
    },
    Burst {
        writes: 64,
        faster: 1.7,
        less: 2.0,
    },
];

/// All bursts.
///
/// # Errors
/// What a client reports.
pub(super) fn rows(effort: Effort, servers: &mut Servers) -> Outcome<Vec<Row>> {
    let mut rows = Vec::new();
    for burst in &BURSTS {
        let costs = cost(effort, servers, burst.writes)?;
        let (whole, server) = (costs.map(|cost| cost.whole), costs.map(|cost| cost.server));
        let name = format!("posted write, bursts of {}", burst.writes);
        rows.extend(whole.rows(&name));
        let rate = Row::new(format!("floor / {name}"), whole.under_floor(), "x");
        rows.push(rate.at_least(burst.faster).note(
            "median of the rounds' ratios; each write is sent by itself; \
             a read that waits for the burst is counted with it",
        ));
        let name = format!("{name}, server's CPU");
        rows.extend(server.rows(&name));
        let less = Row::new(format!("floor / {name}"), server.under_floor(), "x");
        rows.push(less.at_least(burst.less));
    }
    servers.stand_back()?;
    for burst in &BURSTS {
        let costs = cost(effort, servers, burst.writes)?;
        let (whole, server) = (costs.map(|cost| cost.whole), costs.map(|cost| cost.server));
        let name = format!("posted write, bursts of {}, undisturbed", burst.writes);
        let [ours, _] = whole.rows(&name);
        rows.push(ours.note(format!(
            "the client polls, servers run when it waits; server's CPU {:.2} times under the floor",
            server.under_floor()
        )));
    }
    Ok(rows)
}

fn cost(effort: Effort, servers: &mut Servers, writes: u32) -> Outcome<Compared<Cost>> {
    compare(effort.for_pairs(), servers, |served, batch| {
        bursts(served, batch, writes)
    })
}

fn bursts(served: &mut Served, batch: Duration, writes: u32) -> Outcome<Cost> {
    let used = served.clock.now()?;
    let begun = Instant::now();
    let mut written = 0u32;
    while begun.elapsed() < batch {
        for _ in 0..writes {
            served.client.post()?;
        }
        served.client.read()?;
        written += writes;
    }
    let whole = begun.elapsed().as_secs_f64() * 1e9;
    let used = served.clock.now()? - used;
    Ok(Cost {
        whole: whole / f64::from(written),
        server: used / f64::from(written),
    })
}
