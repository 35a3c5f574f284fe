// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How soon the guest's handler has an interrupt: from before the source is posted
//! until the host sees that the handler has counted it. The vCPU idles each time.

use super::super::Outcome;
use super::super::cpu::{Clock, Pinned, two};
use super::super::row::Row;
use super::super::timing::{Effort, figure, rounds};
use super::guest;
use super::ways::{Fire, Way};
use ims_kvm::machine::Machine;
use std::hint::spin_loop;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The interrupt.
const VECTOR: u8 = 0x51;
/// Its only source.
const SOURCE: u32 = 0;

/// How long a vCPU is given to idle again.
const IDLE: Duration = Duration::from_micros(100);

/// When an interrupt is lost.
const LOST: Duration = Duration::from_secs(5);

/// One way into a guest of its own.
struct Guest {
    machine: Machine,
    fire: Fire,
    taken: u64,
}

/// What one way took.
struct Found {
    /// Nanoseconds, sorted.
    times: Vec<u64>,
    /// Of the forwarder's CPU for each, if there is one.
    forwarder: Option<f64>,
}

/// All ways, in turns.
///
/// # Errors
/// What KVM says, or an interrupt that did not come.
pub(super) fn rows(effort: Effort) -> Outcome<Vec<Row>> {
    let Some([guests, host]) = two()? else {
        let why = "there is one CPU only, and guest and host are in each other's way";
        return Ok(vec![Row::skipped("to the guest's handler", "ns", why)]);
    };
    let [signal, irqfd, forwarded, promoted] = Way::ALL;
    // All threads of theirs begin on that CPU and stay there.
    let there = Pinned::to(&guests)?;
    let [mut a, mut b, mut c, mut d] = [
        Guest::new(signal)?,
        Guest::new(irqfd)?,
        Guest::new(forwarded)?,
        Guest::new(promoted)?,
    ];
    drop(there);
    let _here = Pinned::to(&host)?;
    let found = rounds(
        effort,
        [
            &mut |batch| a.batch(batch),
            &mut |batch| b.batch(batch),
            &mut |batch| c.batch(batch),
            &mut |batch| d.batch(batch),
        ],
    )?
    .map(Found::all);
    let [_, irqfd, forwarded, _] = &found;
    let mut rows = Vec::new();
    for (way, found) in Way::ALL.into_iter().zip(&found) {
        for (what, hundredths) in [("", 50), (", 99th percentile", 99)] {
            let name = format!("{} to the guest's handler{what}", way.name());
            let row = Row::new(name, found.at(hundredths)?, "ns");
            rows.push(match way {
                Way::Irqfd => row,
                _ => row.compared(Way::Irqfd.name(), irqfd.at(hundredths)?),
            });
        }
    }
    if let Some(used) = forwarded.forwarder {
        rows.push(
            Row::new("forwarding one, CPU of the forwarder", used, "ns")
                .note("asleep before each: woken, read, KVM_SIGNAL_MSI, asleep again"),
        );
    }
    Ok(rows)
}

impl Guest {
    fn new(way: Way) -> Outcome<Self> {
        let machine = guest::start(1, 1)?;
        machine.scan(0, VECTOR, 0, 1);
        let fire = way.to(machine.vm(), machine.message(0, VECTOR))?;
        Ok(Self {
            machine,
            fire,
            taken: 0,
        })
    }

    fn batch(&mut self, batch: Duration) -> Outcome<Found> {
        let clock = self.fire.forwarder.map(Clock::of).transpose()?;
        let used = || clock.as_ref().map(Clock::now).transpose();
        let before = used()?;
        let begun = Instant::now();
        let mut times = Vec::new();
        // Most of a batch is spent waiting for the vCPU to idle.
        while begun.elapsed() < batch * 4 {
            times.push(self.once()?);
        }
        let each = |(after, before): (f64, f64)| (after - before) / times.len() as f64;
        let forwarder = used()?.zip(before).map(each);
        Ok(Found { times, forwarder })
    }

    fn once(&mut self) -> Outcome<u64> {
        while self.machine.in_handler(0, VECTOR) {
            spin_loop();
        }
        sleep(IDLE);
        let begun = Instant::now();
        self.machine.post(SOURCE);
        self.fire.fire()?;
        self.taken += 1;
        while self.machine.taken(SOURCE) != self.taken {
            if begun.elapsed() > LOST {
                let stopped = self.machine.stopped(0);
                return Err(format!("an interrupt did not come; vCPU stopped: {stopped:?}").into());
            }
            spin_loop();
        }
        Ok(u64::try_from(begun.elapsed().as_nanos())?)
    }
}

impl Found {
    /// All rounds of one way.
    fn all(rounds: Vec<Self>) -> Self {
        let forwarder: Option<Vec<f64>> = rounds.iter().map(|round| round.forwarder).collect();
        let mut times: Vec<_> = rounds.into_iter().flat_map(|round| round.times).collect();
        times.sort_unstable();
        Self {
            times,
            forwarder: forwarder.map(|used| figure(used).median),
        }
    }

    fn at(&self, hundredths: usize) -> Outcome<f64> {
        let at = self.times.get(self.times.len() * hundredths / 100);
        Ok(*at.ok_or("no interrupt was sent")? as f64)
    }
}
