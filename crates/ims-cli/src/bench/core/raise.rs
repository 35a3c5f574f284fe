// SPDX-License-Identifier: Apache-2.0 OR MIT
//! From raise to the pending bit in the target's posted descriptor: remapped,
//! source-checked, counters on; beside what the kernel takes for as much.

use super::super::Outcome;
use super::super::row::Row;
use super::super::timing::{Effort, Figure, Watch, in_turns, repeat};
use super::PER_CPU;
use super::calls::Calls;
use super::host::{Host, Sink, table};
use ims::domain::{Port, Raised};
use ims::grace::Raiser;
use ims::store::{Slots, Store};
use ims::vector::CpuId;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A raise that did not arrive would be measured for nothing.
const NOT_SENT: &str = "a raise was not sent";

/// What a device raises: an interrupt, and the engine it raises it from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source {
    pub(super) engine: u32,
    pub(super) index: u32,
}

/// Raises all of `sources`, `burst` to a flight; says whether all were sent.
#[inline]
pub(super) fn raise_all<S: Slots>(
    port: &Port<S, Sink>,
    raiser: &mut Raiser,
    burst: usize,
    sources: &[Source],
) -> bool {
    let mut sent = true;
    for burst in sources.chunks(burst) {
        let flight = raiser.enter();
        for &Source { engine, index } in burst {
            let raised = port.raise(&flight, engine, index, None);
            sent &= matches!(black_box(raised), Raised::Sent(_));
        }
    }
    sent
}

/// One CPU's interrupts, raised again and again by one thread.
pub(super) struct Near<S: Store> {
    pub(super) host: Host<S>,
    pub(super) raiser: Raiser,
    sources: Vec<Source>,
}

impl<S: Store> Near<S> {
    pub(super) fn new(engines: u32, store: impl Fn(u32) -> S) -> Outcome<Self> {
        let mut host = Host::new(PER_CPU, 0, 1, store)?;
        Ok(Self {
            raiser: host.hierarchy.raiser(),
            host,
            sources: (0..PER_CPU)
                .map(|index| Source {
                    engine: index % engines,
                    index,
                })
                .collect(),
        })
    }

    /// Each raised once, then all harvested; only the raises are counted.
    pub(super) fn fresh(&mut self, batch: Duration, burst: usize) -> Outcome<f64> {
        repeat(batch, |watch| {
            self.round(watch, burst)?;
            if self.host.fleet.harvest() == u64::from(PER_CPU) {
                Ok(())
            } else {
                Err("what was raised was not harvested".into())
            }
        })
    }

    fn round(&mut self, watch: &mut Watch, burst: usize) -> Outcome<()> {
        let (raiser, sources) = (&mut self.raiser, self.sources.as_slice());
        let port = self.host.port(0)?;
        let sent = watch.time(PER_CPU.into(), || raise_all(port, raiser, burst, sources));
        sent.then_some(()).ok_or(NOT_SENT.into())
    }

    /// Each meets one that is pending already.
    fn coalesced(&mut self, batch: Duration) -> Outcome<f64> {
        repeat(batch, |watch| self.round(watch, 1))
    }

    /// While the target's CPU harvests as fast as it can, on another core.
    fn harvested(&mut self, batch: Duration) -> Outcome<f64> {
        let fleet = self.host.fleet.clone();
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let Some(descriptor) = fleet.of(CpuId(0)) else {
                    return;
                };
                while !over.load(Ordering::Relaxed) {
                    black_box(descriptor.harvest_if_any());
                }
            });
            let each = repeat(batch, |watch| self.round(watch, 1));
            over.store(true, Ordering::Relaxed);
            each
        })
    }
}

pub(super) fn rows(effort: Effort, calls: &mut Calls) -> Outcome<Vec<Row>> {
    let mut fresh = Near::new(1, table)?;
    let mut burst = Near::new(1, table)?;
    let mut met = Near::new(1, table)?;
    let mut busy = Near::new(1, table)?;
    let kernel = calls.missing().is_none();
    // A neighbour that is not there takes no turn.
    let unless_missing = |run: &dyn Fn() -> Outcome<f64>| if kernel { run() } else { Ok(f64::NAN) };
    let [fresh, burst, met, busy, eventfd, irqfd, message] = in_turns(
        effort,
        [
            &mut |batch| fresh.fresh(batch, 1),
            &mut |batch| burst.fresh(batch, 8),
            &mut |batch| met.coalesced(batch),
            &mut |batch| busy.harvested(batch),
            &mut |batch| calls.eventfd_write(batch),
            &mut |batch| unless_missing(&|| calls.irqfd_write(batch)),
            &mut |batch| unless_missing(&|| calls.signal_msi(batch)),
        ],
    )?;
    let neighbour = Some(if kernel {
        ("irqfd write", irqfd)
    } else {
        ("eventfd write", eventfd)
    });
    let row = |name: &str, figure: Figure| Row::figure(name, figure).beside(neighbour);
    let mut rows = vec![
        row("raise, target's line at hand", fresh).at_most(25.0),
        row("raise, 8 to a flight", burst),
        row("raise, meets a pending one", met),
        busy_row(row("raise, its CPU harvests meanwhile", busy).at_most(80.0)),
        Row::figure("eventfd write", eventfd),
    ];
    let times = "irqfd write / raise";
    match calls.missing() {
        None => rows.extend([
            Row::figure("irqfd write", irqfd),
            Row::figure("KVM_SIGNAL_MSI", message),
            Row::new(times, irqfd.median / fresh.median, "x").at_least(10.0),
        ]),
        Some(why) => rows.extend([
            Row::skipped("irqfd write", "ns", why),
            Row::skipped("KVM_SIGNAL_MSI", "ns", why),
            Row::skipped(times, "x", why),
        ]),
    }
    Ok(rows)
}

fn busy_row(row: Row) -> Row {
    if cores() > 1 {
        row
    } else {
        row.note("one core only: raiser and CPU took turns")
    }
}

/// Cores this process may use.
pub(super) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
