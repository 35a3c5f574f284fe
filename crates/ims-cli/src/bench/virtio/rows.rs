// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What was measured, as cells of one table.

use super::super::row::Row;
use super::measured::{Masking, Measured};
use ims_virtio::machine::Transport;

/// What the table compares with.
const NEIGHBOUR: Transport = Transport::Pci;

/// How VMM and KVM may differ: what stops in the middle of an access.
const AGREE: f64 = 0.01;

/// A line of the table.
struct Line {
    what: &'static str,
    unit: &'static str,
    value: fn(&Measured) -> Option<f64>,
    /// What VIS promises.
    limit: Option<f64>,
    /// Why there is no value, where there is none.
    without: &'static str,
}

/// A count of exits that every transport has.
fn exits(what: &'static str, value: fn(&Measured) -> Option<f64>) -> Line {
    Line {
        what,
        unit: "exits",
        value,
        limit: None,
        without: "",
    }
}

/// A count that a single interrupt has not: it is masked where it arrives, all at
/// once.
fn of_masking(what: &'static str, value: fn(&Measured) -> Option<f64>, limit: f64) -> Line {
    Line {
        limit: Some(limit),
        without: "there is no mask of one",
        ..exits(what, value)
    }
}

fn masking(measured: &Measured, of: fn(Masking) -> u64) -> Option<f64> {
    measured.masking.map(|masking| of(masking) as f64)
}

fn lines() -> Vec<Line> {
    vec![
        Line {
            limit: Some(4.0),
            ..exits("set up all interrupts", |m| Some(m.set_up as f64))
        },
        of_masking("mask one", |m| masking(m, |m| m.mask), 0.0),
        of_masking("unmask one", |m| masking(m, |m| m.unmask), 1.0),
        of_masking(
            "unmask one, something pending",
            |m| masking(m, |m| m.unmask_pending),
            1.0,
        ),
        exits("move one to another CPU", |m| Some(m.moved as f64)),
        exits("an interrupt taken", |m| Some(m.taken)),
        exits("a 4-KiB read", |m| Some(m.read)),
        Line {
            unit: "%",
            ..exits("spread load: taken by the busiest of 4 vCPUs", |m| {
                busiest(&m.spread)
            })
        },
        Line {
            unit: "lost",
            ..exits("interrupts told and not taken", |m| Some(m.lost as f64))
        },
        Line {
            unit: "x",
            without: "not counted by this kernel",
            ..exits("accesses by KVM's count / by the VMM's", |m| {
                m.by_kvm.map(|kvm| kvm as f64 / m.accesses as f64)
            })
        },
        Line {
            unit: "µs",
            ..exits("set up all interrupts, time", |m| Some(m.set_up_time))
        },
        Line {
            unit: "µs",
            ..exits("a 4-KiB read, time", |m| Some(m.read_time))
        },
    ]
}

/// What was measured with one number of queues, by all transports.
pub(super) type Round = (u16, Vec<(Transport, Measured)>);

/// All rows: each line with all numbers of queues.
pub(super) fn rows(all: &[Round]) -> Vec<Row> {
    let mut rows = Vec::new();
    for line in lines() {
        for (queues, measured) in all {
            rows.extend(of_line(&line, *queues, measured));
        }
    }
    rows
}

fn of_line(line: &Line, queues: u16, all: &[(Transport, Measured)]) -> Vec<Row> {
    let plural = if queues == 1 { "queue" } else { "queues" };
    let name = format!("{}, {queues} {plural}", line.what);
    let neighbour = all.iter().find(|(transport, _)| *transport == NEIGHBOUR);
    let mut rows = Vec::new();
    for (transport, measured) in all {
        let whole = format!("{name}: {}", transport.name());
        let mut row = match (line.value)(measured) {
            Some(value) => Row::new(whole, value, line.unit),
            None => Row::skipped(whole, line.unit, line.without),
        };
        let beside = neighbour.filter(|(other, _)| other != transport);
        if let Some(value) = beside.and_then(|(_, other)| (line.value)(other)) {
            row = row.compared(NEIGHBOUR.name(), value);
        }
        if let Some(limit) = line.limit.filter(|_| *transport == Transport::Vis) {
            row = row.at_most(limit);
        }
        row = match line.unit {
            "lost" => row.at_most(0.0),
            "x" => row.within(1.0, AGREE),
            "%" => row.note(shares(&measured.spread)),
            _ => row,
        };
        if let Some(note) = note(line.what, *transport, measured) {
            row = row.note(note);
        }
        rows.push(row.cell(name.clone(), transport.name()));
    }
    rows
}

fn note(what: &str, transport: Transport, measured: &Measured) -> Option<String> {
    match (what, transport) {
        ("move one to another CPU", Transport::Single) => Some(
            "of all queues together, to the I/O APIC, which the kernel has: the VMM sees none"
                .to_owned(),
        ),
        ("an interrupt taken", Transport::Single) if measured.spurious > 0 => Some(format!(
            "status and acknowledgement; {} handlers of the whole run that this kernel ran once \
             more, for a level taken back, are left out",
            measured.spurious
        )),
        ("accesses by KVM's count / by the VMM's", _) => measured
            .by_kvm
            .map(|kvm| format!("{kvm} and {}", measured.accesses)),
        _ => None,
    }
}

/// The largest share, in hundredths.
fn busiest(spread: &[u64]) -> Option<f64> {
    let all: u64 = spread.iter().sum();
    let most = spread.iter().max()?;
    (all > 0).then(|| *most as f64 * 100.0 / all as f64)
}

fn shares(spread: &[u64]) -> String {
    let counts: Vec<_> = spread.iter().map(u64::to_string).collect();
    format!("interrupts by vCPU: {}", counts.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(spread: Vec<u64>) -> Measured {
        Measured {
            set_up: 5,
            set_up_time: 1.0,
            masking: None,
            moved: 1,
            taken: 0.0,
            read: 1.0,
            read_time: 9.0,
            spread,
            spurious: 0,
            lost: 0,
            accesses: 1000,
            by_kvm: Some(1020),
        }
    }

    fn row<'a>(rows: &'a [Row], name: &str) -> &'a Row {
        rows.iter().find(|row| row.name == name).unwrap()
    }

    #[test]
    fn vis_alone_has_limits_and_what_is_over_is_said() {
        let all = [Transport::Vis, Transport::Pci].map(|t| (t, measured(vec![1, 3])));
        let rows = rows(&[(4, all.to_vec())]);
        let of = |transport: Transport| {
            let name = format!("set up all interrupts, 4 queues: {}", transport.name());
            row(&rows, &name).clone()
        };
        assert_eq!(of(Transport::Vis).met, Some(false));
        assert_eq!(of(Transport::Vis).ratio, Some(1.0));
        assert_eq!(of(Transport::Pci).met, None);
    }

    #[test]
    fn the_busiest_vcpu_and_all_of_them_are_told() {
        let rows = rows(&[(1, vec![(Transport::Pci, measured(vec![1, 3]))])]);
        let name = "spread load: taken by the busiest of 4 vCPUs, 1 queue: virtio-pci, MSI-X";
        let row = row(&rows, name);
        assert_eq!(row.value, Some(75.0));
        assert_eq!(row.note.as_deref(), Some("interrupts by vCPU: 1 3"));
    }

    #[test]
    fn counts_that_differ_are_not_met() {
        let rows = rows(&[(1, vec![(Transport::Pci, measured(vec![1]))])]);
        let name = "accesses by KVM's count / by the VMM's, 1 queue: virtio-pci, MSI-X";
        assert_eq!(row(&rows, name).met, Some(false));
    }
}
