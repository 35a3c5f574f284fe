// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a run came to: one JSON object for programs, a few tables for people.

mod cpu_table;
mod display;
mod interrupt_rows;
#[cfg(test)]
mod tests;
mod units;

use std::collections::BTreeMap;

use serde::Serialize;

use super::scenario::Scenario;
pub(crate) use interrupt_rows::{InterruptRow, write_interrupts};

/// What a run came to.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Report {
    /// Whether nothing failed; [`Report::concluded`] sets it.
    pub(crate) ok: bool,
    /// What failed, each in a sentence.
    pub(crate) failures: Vec<String>,
    /// What the VMs ran on, in words.
    pub(crate) on: &'static str,
    pub(crate) interrupts: Interrupts,
    /// What guests counted, over all VMs; nothing on soft CPUs.
    pub(crate) guests: Option<GuestCounts>,
    /// As in `interrupts`, where whoever only asks this need not look further.
    pub(crate) lost: u64,
    pub(crate) astray: u64,
    pub(crate) misdirected: u64,
    pub(crate) operations: Operations,
    /// How long the device worked.
    pub(crate) seconds: f64,
    pub(crate) operations_per_second: f64,
    pub(crate) interrupts_per_second: f64,
    /// From raise to handler.
    pub(crate) latency_ns: Latency,
    /// By reason: `22h the entry is not present`.
    pub(crate) faults: BTreeMap<String, u64>,
    pub(crate) faults_recorded: u64,
    /// Whether there were more faults at a time than records for them.
    pub(crate) faults_overflowed: bool,
    pub(crate) hostile: Hostile,
    pub(crate) disturbances: Disturbances,
    pub(crate) vms: Vec<Vm>,
    pub(crate) scenario: Scenario,
    pub(crate) notes: Vec<String>,
    /// What was real and what was software.
    pub(crate) reality: Vec<String>,
}

/// What happened to interrupts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Interrupts {
    /// At the end of the work.
    pub(crate) allocated: u64,
    /// With those of interfaces that were destroyed.
    pub(crate) allocated_in_all: u64,
    /// Allocated ones whose handler was called at least once.
    pub(crate) seen: u64,
    /// Raised and never taken.
    pub(crate) lost: u64,
    /// Taken by a handler that was not theirs.
    pub(crate) astray: u64,
    /// Taken on a CPU that was not theirs.
    pub(crate) misdirected: u64,
    pub(crate) raised: u64,
    pub(crate) taken: u64,
    /// Met one that was pending at the same place.
    pub(crate) coalesced: u64,
    /// Kept for a while: masked, moving, or the sink was busy.
    pub(crate) held: u64,
    pub(crate) refused: u64,
    /// Pending when they were freed.
    pub(crate) dropped: u64,
}

/// What went to vCPUs of KVM's, and what guest code counted of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct GuestCounts {
    /// Pending bits set anew whose message KVM took.
    pub(crate) sent: u64,
    /// Pending bits that guest handlers found.
    pub(crate) counted: u64,
    /// How often guest handlers ran.
    pub(crate) runs: u64,
    /// Runs that found nothing: the one before had taken the bit already.
    pub(crate) empty: u64,
    /// Messages that KVM did not take.
    pub(crate) refused: u64,
}

/// What the device did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Operations {
    pub(crate) completed: u64,
    /// Completed ones whose result was looked at in memory.
    pub(crate) verified: u64,
    /// Verified ones whose result was not what it must be.
    pub(crate) wrong: u64,
    /// Submissions that found their queue full and were tried again.
    pub(crate) tried_again: u64,
    /// Completed before everybody worked, and so not in the rates.
    pub(crate) early: u64,
    pub(crate) by_kind: BTreeMap<String, u64>,
    pub(crate) bytes: u64,
}

/// A distribution of times, in nanoseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Latency {
    pub(crate) p50: u64,
    pub(crate) p99: u64,
    pub(crate) p999: u64,
    pub(crate) max: u64,
    pub(crate) count: u64,
}

/// Messages from one who owns nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Hostile {
    pub(crate) sent: u64,
    pub(crate) refused: u64,
    pub(crate) by_kind: BTreeMap<String, HostileKind>,
}

/// One kind of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct HostileKind {
    pub(crate) sent: u64,
    pub(crate) refused: u64,
}

/// What disturbed the work.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Disturbances {
    pub(crate) composed: u64,
    pub(crate) destroyed: u64,
    pub(crate) moved: u64,
    pub(crate) masked: u64,
    pub(crate) cpus_offline: u64,
    pub(crate) cpus_online: u64,
    /// Moves that were answered with an error: there was no room, for one.
    pub(crate) refused_moves: u64,
}

/// One virtual machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Vm {
    pub(crate) vm: u32,
    /// Allocated to it at the end of the work.
    pub(crate) interrupts: u64,
    pub(crate) operations: u64,
    /// What its guest counted; nothing on soft CPUs.
    pub(crate) guest: Option<GuestCounts>,
    pub(crate) cpus: Vec<Cpu>,
}

/// One of its CPUs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Cpu {
    pub(crate) cpu: u32,
    pub(crate) online: bool,
    /// Allocated on it at the end of the work.
    pub(crate) vectors: u64,
    pub(crate) taken: u64,
    /// Vectors it took that belonged to no interrupt with a handler.
    pub(crate) spurious: u64,
    /// How often it fell asleep; nobody knows of a vCPU on KVM.
    pub(crate) slept: Option<u64>,
}

impl GuestCounts {
    /// These and another guest's.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            sent: self.sent + other.sent,
            counted: self.counted + other.counted,
            runs: self.runs + other.runs,
            empty: self.empty + other.empty,
            refused: self.refused + other.refused,
        }
    }
}

impl Report {
    /// A report in which nothing has happened yet.
    pub(crate) fn new(scenario: Scenario) -> Self {
        Self {
            ok: false,
            failures: Vec::new(),
            on: scenario.on.described(),
            guests: None,
            interrupts: Interrupts::default(),
            lost: 0,
            astray: 0,
            misdirected: 0,
            operations: Operations::default(),
            seconds: 0.0,
            operations_per_second: 0.0,
            interrupts_per_second: 0.0,
            latency_ns: Latency::default(),
            faults: BTreeMap::new(),
            faults_recorded: 0,
            faults_overflowed: false,
            hostile: Hostile::default(),
            disturbances: Disturbances::default(),
            vms: Vec::new(),
            scenario,
            notes: Vec::new(),
            reality: Vec::new(),
        }
    }

    /// The report with everything that follows from its counts: rates, the counts
    /// told twice, and a failure for each count that must be zero and is not.
    ///
    /// What only the run can know to be wrong it has put into `failures` before.
    pub(crate) fn concluded(mut self) -> Self {
        let Interrupts {
            allocated,
            seen,
            lost,
            astray,
            misdirected,
            taken,
            ..
        } = self.interrupts;
        (self.lost, self.astray, self.misdirected) = (lost, astray, misdirected);
        let a_second = |count: u64| {
            let rate = count.saturating_sub(self.operations.early) as f64 / self.seconds;
            if rate.is_finite() { rate } else { 0.0 }
        };
        self.operations_per_second = a_second(self.operations.completed);
        self.interrupts_per_second = a_second(taken);
        let hostile = &self.hostile;
        let must_be_zero = [
            (lost, "interrupts were raised and never taken"),
            (astray, "interrupts were taken by a handler not theirs"),
            (misdirected, "interrupts were taken on a CPU not theirs"),
            (
                allocated.saturating_sub(seen),
                "allocated interrupts were never seen",
            ),
            (
                self.operations.wrong,
                "operations had a wrong result in memory",
            ),
            (
                hostile.sent.saturating_sub(hostile.refused),
                "hostile messages were not refused",
            ),
        ];
        let failed = must_be_zero.into_iter().filter(|(count, _)| *count > 0);
        self.failures
            .extend(failed.map(|(count, what)| format!("{count} {what}")));
        self.ok = self.failures.is_empty();
        self
    }
}
