// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The report for people, from the detail to the verdict.

use std::fmt;

use super::cpu_table::{CpuTable, total};
use super::units::{bytes, count, rate, time};
use super::{Disturbances, GuestCounts, Hostile, Interrupts, Latency, Report};

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.scenario.store.name();
        let vms = self.vms.len();
        let on = self.on;
        writeln!(f, "Interrupts taken by {vms} VMs ({on}), store \"{kind}\":")?;
        write!(f, "{}", CpuTable(&self.vms))?;
        let spurious = self.vms.iter().map(|vm| total(vm, |cpu| cpu.spurious));
        let spurious: u64 = spurious.fold(0, u64::saturating_add);
        if spurious > 0 {
            writeln!(f, "  {} vectors were spurious", count(spurious))?;
        }
        writeln!(f)?;
        self.work(f)?;
        writeln!(f, "{}", self.latency_ns)?;
        writeln!(f, "{}", self.interrupts)?;
        if let Some(guests) = &self.guests {
            writeln!(f, "{guests}")?;
        }
        self.remapping(f)?;
        writeln!(f, "{}", self.disturbances)?;
        write!(f, "{}", self.hostile)?;
        section(f, "Notes", &self.notes)?;
        section(f, "What was real", &self.reality)?;
        section(f, "Failures", &self.failures)?;
        writeln!(f)?;
        self.verdict(f)
    }
}

impl Report {
    fn work(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let done = &self.operations;
        writeln!(
            f,
            "Operations   {} in {:.1} s ({}/s), {} moved or read; {} verified, {} wrong, \
             {} tried again (queue full)",
            count(done.completed),
            self.seconds,
            rate(self.operations_per_second),
            bytes(done.bytes),
            count(done.verified),
            count(done.wrong),
            count(done.tried_again),
        )?;
        if !done.by_kind.is_empty() {
            let kinds = done.by_kind.iter();
            let kinds: Vec<_> = kinds
                .map(|(kind, n)| format!("{} {kind}", count(*n)))
                .collect();
            writeln!(f, "             {}", kinds.join(", "))?;
        }
        writeln!(
            f,
            "Interrupts   {}/s taken; {} allocated in all",
            rate(self.interrupts_per_second),
            count(self.interrupts.allocated_in_all)
        )
    }

    fn remapping(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let overflow = if self.faults_overflowed {
            " (more at a time than there are records)"
        } else {
            ""
        };
        let faults = self
            .faults
            .values()
            .fold(0, |sum: u64, n| sum.saturating_add(*n));
        writeln!(
            f,
            "Faults       {}; {} recorded{overflow}",
            count(faults),
            count(self.faults_recorded),
        )?;
        for (reason, faults) in &self.faults {
            writeln!(f, "             {:>9}  {reason}", count(*faults))?;
        }
        Ok(())
    }

    fn verdict(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Interrupts {
            allocated,
            seen,
            lost,
            astray,
            misdirected,
            ..
        } = self.interrupts;
        let word = if self.ok { "OK" } else { "FAILED" };
        writeln!(
            f,
            "{word}: {allocated} interrupts allocated, {seen} seen, {lost} lost, {astray} astray, \
             {misdirected} misdirected"
        )
    }
}

fn section(f: &mut fmt::Formatter<'_>, name: &str, lines: &[String]) -> fmt::Result {
    if lines.is_empty() {
        return Ok(());
    }
    writeln!(f, "\n{name}")?;
    lines.iter().try_for_each(|line| writeln!(f, "  {line}"))
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.count == 0 {
            return f.write_str("Latency      raise to handler: not measured");
        }
        write!(
            f,
            "Latency      raise to handler: p50 {}, p99 {}, p99.9 {}, max {} ({} measured)",
            time(self.p50),
            time(self.p99),
            time(self.p999),
            time(self.max),
            count(self.count),
        )
    }
}

impl fmt::Display for Interrupts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Counts       {} raised: {} taken, {} coalesced, {} refused, {} dropped; {} held for a while",
            count(self.raised),
            count(self.taken),
            count(self.coalesced),
            count(self.refused),
            count(self.dropped),
            count(self.held),
        )
    }
}

impl fmt::Display for GuestCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Guests       {} sent to vCPUs, {} refused by KVM: {} counted by guest code in {} runs \
             of handlers, {} of which found nothing",
            count(self.sent),
            count(self.refused),
            count(self.counted),
            count(self.runs),
            count(self.empty),
        )
    }
}

impl fmt::Display for Disturbances {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Disturbed    {} interfaces destroyed, {} composed; {} interrupts moved ({} moves \
             refused), {} masked; CPUs offline {} times, online {}",
            count(self.destroyed),
            count(self.composed),
            count(self.moved),
            count(self.refused_moves),
            count(self.masked),
            count(self.cpus_offline),
            count(self.cpus_online),
        )
    }
}

impl fmt::Display for Hostile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sent, refused) = (count(self.sent), count(self.refused));
        writeln!(f, "Hostile      {sent} sent, {refused} refused")?;
        self.by_kind.iter().try_for_each(|(kind, of)| {
            let (sent, refused) = (count(of.sent), count(of.refused));
            writeln!(
                f,
                "             {sent:>9} sent {refused:>9} refused  {kind}"
            )
        })
    }
}
