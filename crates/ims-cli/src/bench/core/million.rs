// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A million interrupts, on five thousand CPUs, behind sixteen remap units.

use super::super::Outcome;
use super::super::row::Row;
use super::super::timing::{Effort, in_turns};
use super::bytes;
use super::control::{self, Size};
use super::random::{Random, raises};
use super::reads::{self, Reads};
use std::time::Instant;

const COUNT: u32 = 1_000_000;

pub(super) fn rows(effort: Effort, smaller: &[Size]) -> Outcome<Vec<Row>> {
    let start = Instant::now();
    let mut host = control::host(COUNT)?;
    let growing = start.elapsed().as_secs_f64() * 1e9 / f64::from(COUNT);
    let mut raiser = host.hierarchy.raiser();
    let mut random = Random::new(COUNT);
    let mut reads = Reads::new();
    let [raise, read] = in_turns(
        effort,
        [
            &mut |batch| raises(&host, &mut raiser, &mut random, batch),
            &mut |batch| reads.run(batch),
        ],
    )?;
    drop(reads);
    let largest = Size {
        read: Some(read),
        ..control::size(effort, &mut host)?
    };
    let mut rows = vec![
        Row::figure("raise, random of 1000000", raise)
            .beside(Some((reads::NAME, read)))
            .at_most(200.0)
            .note(format!(
                "{:.1} neighbours: a slot names its remap entry, so two reads follow each other",
                raise.median / read.median
            )),
        bytes::row(COUNT, host.bytes),
        Row::new(
            "allocate + activate, mean from none to 1000000",
            growing,
            "ns",
        )
        .note("the system's memory included"),
    ];
    let sizes: Vec<_> = smaller.iter().chain([&largest]).collect();
    rows.extend(control::rows(&sizes));
    Ok(rows)
}
