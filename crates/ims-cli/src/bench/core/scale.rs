// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Two threads that raise at once.

use super::super::Outcome;
use super::super::row::Row;
use super::super::timing::{Effort, Figure, in_turns, repeat};
use super::PER_CPU;
use super::host::{Host, table};
use super::raise::{Source, cores, raise_all};
use ims::grace::Raiser;
use ims::vector::CpuId;
use std::sync::Barrier;
use std::time::Duration;

/// Two raisers, and the interrupts each raises.
struct Two {
    host: Host,
    raisers: [(Raiser, Vec<Source>, CpuId); 2],
}

impl Two {
    /// Each raises interrupts of a CPU of its own, or both half of one CPU's.
    fn new(cpus: u32) -> Outcome<Self> {
        let mut host = Host::new(cpus * PER_CPU, 0, cpus, table)?;
        let mut of = |raiser: usize| -> Outcome<_> {
            let cpu = CpuId(if cpus > 1 && raiser == 1 { 1 } else { 0 });
            let mut sources = Vec::new();
            for token in &host.interrupts {
                let location = host.hierarchy.location(*token)?;
                if location.target.is_some_and(|(at, _)| at == cpu)
                    && (cpus > 1 || location.index as usize % 2 == raiser)
                {
                    sources.push(Source {
                        engine: 0,
                        index: location.index,
                    });
                }
            }
            Ok((host.hierarchy.raiser(), sources, cpu))
        };
        let raisers = [of(0)?, of(1)?];
        Ok(Self { host, raisers })
    }

    /// The mean of both threads' times.
    fn run(&mut self, batch: Duration) -> Outcome<f64> {
        let start = Barrier::new(2);
        let port = self.host.port(0)?;
        let fleet = &self.host.fleet;
        let one = |(raiser, sources, cpu): &mut (Raiser, Vec<Source>, CpuId)| {
            start.wait();
            // An error of another thread's must be sent.
            repeat(batch, |watch| {
                let sent = watch.time(sources.len() as u64, || raise_all(port, raiser, 1, sources));
                fleet.of(*cpu).map(|descriptor| descriptor.harvest());
                sent.then_some(()).ok_or("a raise was not sent".into())
            })
            .map_err(|error| error.to_string())
        };
        let [here, there] = &mut self.raisers;
        std::thread::scope(|scope| {
            let there = scope.spawn(|| one(there));
            let here = one(here)?;
            let there = there.join().map_err(|_| "a raiser ended early")??;
            Ok((here + there) / 2.0)
        })
    }
}

pub(super) fn rows(effort: Effort) -> Outcome<Vec<Row>> {
    let mut apart = Two::new(2)?;
    let mut together = Two::new(1)?;
    let [apart, together] = in_turns(
        effort,
        [&mut |batch| apart.run(batch), &mut |batch| {
            together.run(batch)
        }],
    )?;
    let row = |name: &str, figure: Figure| {
        let row = Row::figure(name, figure);
        if cores() > 1 {
            row
        } else {
            row.note("one core only: the threads took turns")
        }
    };
    Ok(vec![
        row("raise, 2 threads, a target each", apart),
        row("raise, 2 threads, one target", together),
    ])
}
