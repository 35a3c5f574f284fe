// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Interrupts taken, by machine and CPU: `/proc/interrupts` of every machine, a
//! row each; with many CPUs, a summary of each machine's.

use std::fmt;

use super::{Cpu, Vm};

/// Machines with more CPUs than this are summarised.
const SHOWN_CPUS: usize = 16;

/// Marks a CPU that is offline.
const OFFLINE: char = '-';

/// The table of these machines.
pub(super) struct CpuTable<'a>(pub(super) &'a [Vm]);

impl fmt::Display for CpuTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let most = self.0.iter().map(|vm| vm.cpus.len()).max().unwrap_or(0);
        let rows = if most > SHOWN_CPUS {
            summary(self.0)
        } else {
            by_cpu(self.0, most)
        };
        align(f, &rows)?;
        let mut cpus = self.0.iter().flat_map(|vm| &vm.cpus);
        if most <= SHOWN_CPUS && cpus.any(|cpu| !cpu.online) {
            writeln!(f, "  ({OFFLINE} after a count: the CPU is offline)")?;
        }
        Ok(())
    }
}

fn by_cpu(vms: &[Vm], most: usize) -> Vec<Vec<String>> {
    let mut header = vec![String::new()];
    header.extend((0..most).map(|cpu| format!("CPU{cpu} ")));
    header.extend(["taken", "vectors", "operations"].map(str::to_owned));
    let rows = vms.iter().map(|vm| {
        let mut row = vec![format!("VM{}:", vm.vm)];
        row.extend(vm.cpus.iter().map(|cpu| {
            let mark = if cpu.online { ' ' } else { OFFLINE };
            format!("{}{mark}", cpu.taken)
        }));
        row.resize(most + 1, String::new());
        row.extend([
            total(vm, |cpu| cpu.taken).to_string(),
            total(vm, |cpu| cpu.vectors).to_string(),
            vm.operations.to_string(),
        ]);
        row
    });
    std::iter::once(header).chain(rows).collect()
}

fn summary(vms: &[Vm]) -> Vec<Vec<String>> {
    let header = [
        "",
        "CPUs",
        "online",
        "taken",
        "min/CPU",
        "median",
        "max",
        "vectors",
        "operations",
    ];
    let rows = vms.iter().map(|vm| {
        let mut taken: Vec<_> = vm.cpus.iter().map(|cpu| cpu.taken).collect();
        taken.sort_unstable();
        let at = |index: usize| taken.get(index).copied().unwrap_or(0).to_string();
        vec![
            format!("VM{}:", vm.vm),
            vm.cpus.len().to_string(),
            vm.cpus.iter().filter(|cpu| cpu.online).count().to_string(),
            total(vm, |cpu| cpu.taken).to_string(),
            at(0),
            at(taken.len() / 2),
            at(taken.len().saturating_sub(1)),
            total(vm, |cpu| cpu.vectors).to_string(),
            vm.operations.to_string(),
        ]
    });
    std::iter::once(header.map(str::to_owned).to_vec())
        .chain(rows)
        .collect()
}

pub(super) fn total(vm: &Vm, of: fn(&Cpu) -> u64) -> u64 {
    vm.cpus.iter().map(of).fold(0, u64::saturating_add)
}

/// Writes rows with each column as wide as its widest cell, to the right.
pub(super) fn align(out: &mut dyn fmt::Write, rows: &[Vec<String>]) -> fmt::Result {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..columns).map(width).collect();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(&format!("  {cell:>width$}"));
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}
