// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Allocating, freeing and moving, by how many interrupts there are already.

use super::super::Outcome;
use super::super::row::Row;
use super::super::timing::{Effort, Figure, Watch, in_turns, repeat};
use super::PER_CPU;
use super::host::{Host, UNIT, table};
use super::random::Random;
use super::reads;
use ims::domain::{Affinity, Moved, Request};
use ims::vector::CpuId;
use std::time::Duration;

/// Allocated between two looks at the watch.
const NEXT: u32 = 512;
/// Moved between two looks: fewer than a hierarchy settles of its own accord.
const MOVES: u32 = 60;
const CHURN: u32 = 256;

/// A host of `count` interrupts to allocate more in.
pub(super) fn host(count: u32) -> Outcome<Host> {
    // Room for what is allocated and moved, on CPUs that fill evenly.
    let cpus = (count + NEXT).div_ceil(PER_CPU) + 2;
    Host::new(count, NEXT, cpus, table)
}

/// Allocates and activates the next ones, then frees them, uncounted.
pub(super) fn next(host: &mut Host, batch: Duration) -> Outcome<f64> {
    let request = Request::new(host.space);
    let first = u32::try_from(host.interrupts.len())?;
    let mut tokens = Vec::with_capacity(NEXT as usize);
    repeat(batch, |watch| {
        watch.time(NEXT.into(), || -> Outcome<()> {
            for number in first..first + NEXT {
                tokens.push(host.add(number, &request)?);
            }
            Ok(())
        })?;
        for token in tokens.drain(..) {
            host.hierarchy.free(token)?;
        }
        settled(host)
    })
}

fn settled(host: &mut Host) -> Outcome<()> {
    let left = host.hierarchy.settle();
    host.hierarchy.take_released();
    if left == 0 {
        Ok(())
    } else {
        Err(format!("{left} retired interrupts did not settle, though nobody raises").into())
    }
}

/// Frees random ones, settles, and allocates and activates as many.
pub(super) fn churn(host: &mut Host, random: &mut Random, batch: Duration) -> Outcome<f64> {
    let request = Request::new(host.space);
    let count = u32::try_from(host.interrupts.len())?;
    repeat(batch, |watch| {
        watch.time(CHURN.into(), || -> Outcome<()> {
            for _ in 0..CHURN {
                let number = random.below(count);
                let at = number as usize;
                let old = *host.interrupts.get(at).ok_or("no such interrupt")?;
                host.hierarchy.free(old)?;
                host.hierarchy.settle();
                let new = host.add(number, &request)?;
                *host.interrupts.get_mut(at).ok_or("no such interrupt")? = new;
            }
            Ok(())
        })?;
        settled(host)
    })
}

/// What moving comes to: the move itself, and settling after it.
pub(super) fn moves(
    host: &mut Host,
    random: &mut Random,
    batch: Duration,
    settling: bool,
) -> Outcome<f64> {
    let count = u32::try_from(host.interrupts.len())?;
    let cpus = host.hierarchy.matrix(host.space).ok_or("no matrix")?.cpus();
    repeat(batch, |watch| {
        let mut wanted = Vec::with_capacity(MOVES as usize);
        for _ in 0..MOVES {
            let at = random.below(count) as usize;
            let token = *host.interrupts.get(at).ok_or("no such interrupt")?;
            let affinity = Affinity::Cpu(CpuId(random.below(cpus)));
            wanted.push((token, affinity));
        }
        let mut ignored = Watch::default();
        let (moving, after) = if settling {
            (&mut ignored, watch)
        } else {
            (watch, &mut ignored)
        };
        let away = moving.time(MOVES.into(), || -> Outcome<u64> {
            let mut away = 0;
            for (token, affinity) in &wanted {
                let moved = host.hierarchy.set_affinity(*token, affinity)?;
                away += u64::from(matches!(moved, Moved::Away { .. }));
            }
            Ok(away)
        })?;
        after.time(away, || settled(host))
    })
}

/// The figures of a host of some size.
pub(super) struct Size {
    pub(super) count: u32,
    pub(super) next: Figure,
    pub(super) churn: Figure,
    pub(super) moved: Figure,
    pub(super) settled: Figure,
    /// What reading memory takes, where there is too much to have it at hand.
    pub(super) read: Option<Figure>,
}

pub(super) fn size(effort: Effort, host: &mut Host) -> Outcome<Size> {
    let count = u32::try_from(host.interrupts.len())?;
    let mut random = Random::new(count);
    let [next] = in_turns(effort, [&mut |batch| next(host, batch)])?;
    // Before churn: neighbours in memory are then neighbours in number.
    let [moved] = in_turns(
        effort,
        [&mut |batch| moves(host, &mut random, batch, false)],
    )?;
    let [settled] = in_turns(effort, [&mut |batch| moves(host, &mut random, batch, true)])?;
    let [churn] = in_turns(effort, [&mut |batch| churn(host, &mut random, batch)])?;
    Ok(Size {
        count,
        next,
        churn,
        moved,
        settled,
        read: None,
    })
}

/// 1,000 interrupts, and a whole unit of them.
pub(super) fn small(effort: Effort) -> Outcome<Vec<Size>> {
    [1_000, UNIT]
        .map(|count| size(effort, &mut host(count)?))
        .into_iter()
        .collect()
}

/// All sizes' rows, the smallest first.
pub(super) fn rows(sizes: &[&Size]) -> Vec<Row> {
    let mut rows = Vec::new();
    let first = sizes.first().map_or(f64::NAN, |size| size.next.median);
    let last = sizes.last().map_or(f64::NAN, |size| size.next.median);
    for size in sizes {
        let name = format!("allocate + activate the next, of {}", size.count);
        rows.push(Row::figure(name, size.next).at_most(100.0));
    }
    rows.push(Row::new("allocate + activate, largest / smallest", last / first, "x").at_most(2.0));
    for size in sizes {
        let count = size.count;
        let read = size.read.map(|read| (reads::NAME, read));
        let row = |what: &str, figure| {
            Row::figure(format!("{what}, random of {count}"), figure).beside(read)
        };
        rows.extend([
            row("free + settle + allocate + activate", size.churn).at_most(500.0),
            row("move to another CPU", size.moved).at_most(200.0),
            row("settle a move", size.settled),
        ]);
    }
    rows
}
