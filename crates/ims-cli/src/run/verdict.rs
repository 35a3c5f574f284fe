// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the run came to: every count held against every other that must agree
//! with it.

use std::sync::atomic::Ordering;

use ims::domain::Counts;
use ims::store::Store;
use ims_host::IrqCounts;

use super::disturb::Disturbed;
use super::error::RunError;
use super::lane::{Done, Lane};
use super::report::{Cpu, Disturbances, GuestCounts, Interrupts, Latency, Operations, Report, Vm};
use super::scenario::On;
use super::vm::histogram;
use super::work::Worked;
use super::world::World;

mod faults;
mod guests;
mod rows;

pub(super) use rows::rows;

/// Failures of one kind that are named; the rest is counted.
const NAMED: usize = 10;

/// Everything that was counted, and what disagrees.
pub(super) struct Verdict<'a, S: Store> {
    world: &'a World<S>,
    disturbed: &'a Disturbed,
    failures: Vec<String>,
    /// What raisers and handlers counted, over all interrupts there ever were.
    total: IrqCounts,
}

/// The report of a run that is over and quiet.
pub(super) fn verdict<S: Store>(world: &World<S>, worked: &Worked) -> Result<Report, RunError> {
    let disturbed = &worked.disturbed;
    let mut verdict = Verdict {
        world,
        disturbed,
        failures: Vec::new(),
        total: IrqCounts::default(),
    };
    let mut report = Report::new(world.scenario.clone());
    report.seconds = worked.time.as_secs_f64();
    verdict.add_up();
    report.interrupts = verdict.interrupts();
    report.operations = verdict.operations(worked.before);
    verdict.hold_faults_against_what_was_sent(&mut report);
    verdict.hold_cpus_against_interrupts();
    report.on = world.on.described();
    let guests = verdict.hold_guests_against_what_was_sent();
    report.guests = guests.iter().copied().reduce(GuestCounts::and);
    report.latency_ns = verdict.latency()?;
    report.disturbances = verdict.disturbances();
    let mut guests = guests.into_iter();
    let vms = world.vms.iter();
    report.vms = vms.map(|vm| verdict.vm(vm, guests.next())).collect();
    report.notes = world.notes.clone();
    report.failures = verdict.failures;
    report.failures.extend(disturbed.failures.iter().cloned());
    report.reality = [
        "memory and the work on it are real: every result was read back and compared",
        match world.on {
            On::Soft => "CPUs are threads, and take interrupts from posted descriptors in memory",
            On::Kvm => {
                "vCPUs and their APICs are KVM's: guest code took every interrupt and counted it; \
                 what a driver does then, its VMM's thread did, while the guest waited for it"
            }
        },
        "the remap unit, the device and its message store are software, after the \
         specifications; no hardware interrupt was raised",
    ]
    .map(String::from)
    .to_vec();
    Ok(report.concluded())
}

/// The two sides that should be equal.
fn sum(counts: &IrqCounts) -> String {
    let Counts {
        raised,
        handed_over,
        coalesced,
        held,
        refused,
        dropped,
    } = counts.raiser;
    let taken = counts.taken;
    format!(
        "{raised} raised = {taken} taken + {handed_over} handed over + {coalesced} coalesced + \
         {refused} refused + {dropped} dropped ({held} were held)"
    )
}

impl<S: Store> Verdict<'_, S> {
    /// Law 9: each interrupt's counters, and all of them together.
    fn add_up(&mut self) {
        let mut wrong = Vec::new();
        for adi in &self.world.adis {
            let Some(function) = self.world.functions.get(adi.function) else {
                continue;
            };
            for (lane, irq) in &adi.lanes {
                let counts = function.domain.counts(irq);
                if !counts.add_up() {
                    wrong.push(format!(
                        "interrupt {}: {counts:?} does not add up",
                        lane.index()
                    ));
                }
                self.total.raiser += counts.raiser;
                self.total.taken += counts.taken;
            }
        }
        for function in &self.world.functions {
            self.total.raiser += function.domain.past_counts();
            let strays = function.domain.port().strays();
            if strays > 0 {
                wrong.push(format!(
                    "the device raised {strays} interrupts that were not allocated"
                ));
            }
        }
        self.total.taken += self.world.host.past_taken();
        if !self.total.add_up() {
            wrong.push(format!(
                "all together: {} does not add up",
                sum(&self.total)
            ));
        }
        self.fail(wrong);
    }

    fn fail(&mut self, wrong: Vec<String>) {
        let more = wrong.len().saturating_sub(NAMED);
        self.failures.extend(wrong.into_iter().take(NAMED));
        if more > 0 {
            self.failures.push(format!("… and {more} more of the kind"));
        }
    }

    fn tallies(&self, of: impl Fn(&Lane) -> u64) -> u64 {
        let gone = self.disturbed.gone.iter().map(|lane| of(lane));
        self.world
            .lanes()
            .map(|(lane, _)| of(lane))
            .chain(gone)
            .sum()
    }

    fn interrupts(&mut self) -> Interrupts {
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let calls = self.tallies(|lane| lane.tally.calls.load(Ordering::Relaxed));
        if calls != self.total.taken {
            let taken = self.total.taken;
            self.failures.push(format!(
                "{taken} interrupts taken, but handlers called {calls} times"
            ));
        }
        let left: u64 = self.world.lanes().map(|(lane, _)| lane.left().unseen).sum();
        let unfinished: u64 = self
            .world
            .lanes()
            .map(|(lane, _)| lane.left().unfinished)
            .sum();
        if unfinished > 0 {
            self.failures
                .push(format!("{unfinished} operations were never executed"));
        }
        let Counts {
            raised,
            coalesced,
            held,
            refused,
            dropped,
            ..
        } = self.total.raiser;
        Interrupts {
            allocated: count(self.world.lanes().count()),
            allocated_in_all: self.world.allocated_in_all,
            seen: count(
                self.world
                    .lanes()
                    .filter(|(lane, _)| lane.was_called())
                    .count(),
            ),
            lost: left + self.disturbed.lost,
            astray: self.tallies(|lane| lane.tally.astray.load(Ordering::Relaxed)),
            misdirected: self.tallies(|lane| lane.tally.misdirected.load(Ordering::Relaxed))
                + self.disturbed.misdirected,
            raised,
            taken: self.total.taken,
            coalesced,
            held,
            refused,
            dropped,
        }
    }

    fn done(&self) -> Done {
        let mut done = self.disturbed.done.clone();
        for (lane, _) in self.world.lanes() {
            done.add(lane.done());
        }
        done
    }

    fn operations(&mut self, early: u64) -> Operations {
        let done = self.done();
        let wrong = u64::try_from(done.wrong.len()).unwrap_or(u64::MAX);
        self.fail(done.wrong);
        Operations {
            completed: done.completed,
            verified: done.verified,
            wrong,
            tried_again: done.pushed_back,
            early,
            by_kind: done
                .by_kind
                .iter()
                .map(|(kind, n)| ((*kind).to_string(), *n))
                .collect(),
            bytes: done.bytes,
        }
    }

    /// What CPUs say they took must be what interrupts say was taken.
    fn hold_cpus_against_interrupts(&mut self) {
        let reports: Vec<_> = self
            .world
            .vms
            .iter()
            .flat_map(|vm| self.world.host.cpu_reports(vm.space))
            .collect();
        let taken: u64 = reports.iter().map(|cpu| cpu.taken).sum();
        let spurious: u64 = reports.iter().map(|cpu| cpu.spurious).sum();
        let panicked: u64 = reports.iter().map(|cpu| cpu.panicked).sum();
        if taken != self.total.taken {
            let interrupts = self.total.taken;
            self.failures.push(format!(
                "CPUs took {taken} interrupts, handlers {interrupts}"
            ));
        }
        if spurious > 0 {
            self.failures
                .push(format!("CPUs took {spurious} vectors that nobody owned"));
        }
        if panicked > 0 {
            self.failures.push(format!("{panicked} handlers panicked"));
        }
    }

    fn latency(&self) -> Result<Latency, RunError> {
        let mut all = histogram()?;
        for vm in &self.world.vms {
            vm.add_latencies(&mut all);
        }
        Ok(Latency {
            p50: all.value_at_quantile(0.5),
            p99: all.value_at_quantile(0.99),
            p999: all.value_at_quantile(0.999),
            max: all.max(),
            count: all.len(),
        })
    }

    fn disturbances(&self) -> Disturbances {
        let disturbed = self.disturbed;
        Disturbances {
            composed: disturbed.composed,
            destroyed: disturbed.destroyed,
            moved: disturbed.moved,
            masked: disturbed.masked,
            cpus_offline: disturbed.offline,
            cpus_online: disturbed.online,
            refused_moves: disturbed.refused_moves,
        }
    }

    fn vm(&self, vm: &super::vm::Vm, guest: Option<GuestCounts>) -> Vm {
        let mine = || {
            self.world
                .lanes()
                .filter(|(lane, _)| lane.parts.vm.number == vm.number)
        };
        let cpus = self
            .world
            .host
            .cpu_reports(vm.space)
            .into_iter()
            .map(|cpu| Cpu {
                cpu: cpu.cpu.0,
                online: cpu.online,
                vectors: cpu.vectors.into(),
                taken: cpu.taken,
                spurious: cpu.spurious,
                slept: guest.is_none().then_some(cpu.slept),
            });
        Vm {
            vm: vm.number,
            interrupts: u64::try_from(mine().count()).unwrap_or(u64::MAX),
            operations: mine().map(|(lane, _)| lane.done().completed).sum(),
            guest,
            cpus: cpus.collect(),
        }
    }
}
