// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What was counted, for people.

use std::io::{self, Write};

use crate::columns::Columns;
use crate::control::message::{DeviceStatistics, Statistics, VectorStatistics};

/// Writes what was counted: the parent, queues, vectors.
pub(super) fn write(out: &mut impl Write, statistics: &Statistics) -> io::Result<()> {
    if let Some(parent) = &statistics.parent {
        writeln!(
            out,
            "Parent: {} interfaces on {} engines and {} CPUs; {} of {} IMS entries in use\n",
            parent.interfaces, parent.engines, parent.cpus, parent.ims_used, parent.ims_entries,
        )?;
    }
    if statistics.devices.is_empty() {
        return writeln!(out, "No devices. Compose one: ims adi create NAME");
    }
    writeln!(out, "{}", queues(&statistics.devices))?;
    write!(out, "{}", vectors(&statistics.devices))
}

fn queues(devices: &[DeviceStatistics]) -> Columns<9> {
    let mut columns = Columns::new([
        "DEVICE",
        "KIND",
        "STATE",
        "ERRORS",
        "QUEUE",
        "WAITING",
        "SUBMITTED",
        "REFUSED",
        "COMPLETED",
    ]);
    let none = || "-".to_owned();
    for it in devices {
        let device = &it.device;
        let row = |queue: [String; 5]| {
            let [number, waiting, submitted, refused, completed] = queue;
            [
                device.name.to_string(),
                device.kind.name().to_owned(),
                device.state.clone(),
                it.errors.to_string(),
                number,
                waiting,
                submitted,
                refused,
                completed,
            ]
        };
        if it.queues.is_empty() {
            columns.row(row([none(), none(), none(), none(), none()]));
        }
        for queue in &it.queues {
            let completed = queue.completed.map(|completed| completed.to_string());
            columns.row(row([
                queue.queue.to_string(),
                queue.waiting.to_string(),
                queue.submitted.to_string(),
                queue.refused.to_string(),
                completed.unwrap_or_else(none),
            ]));
        }
    }
    columns
}

fn vectors(devices: &[DeviceStatistics]) -> Columns<13> {
    let mut columns = Columns::new([
        "DEVICE",
        "VECTOR",
        "KIND",
        "INDEX",
        "HANDLE",
        "TARGET",
        "RAISED",
        "DELIVERED",
        "COALESCED",
        "HELD",
        "FAULTED",
        "DROPPED",
        "NOW",
    ]);
    for it in devices {
        for vector in &it.interrupts {
            let or_none = |number: Option<u32>| number.map(|number| number.to_string());
            let none = || "-".to_owned();
            columns.row([
                it.device.name.to_string(),
                vector.vector.to_string(),
                vector.kind.clone(),
                or_none(vector.index).unwrap_or_else(none),
                or_none(vector.handle).unwrap_or_else(none),
                vector.target.clone().unwrap_or_else(none),
                vector.raised.to_string(),
                vector.delivered.to_string(),
                vector.coalesced.to_string(),
                vector.held.to_string(),
                vector.faulted.to_string(),
                vector.dropped.to_string(),
                now(vector),
            ]);
        }
    }
    columns
}

/// The state of a vector at this moment, and why the last interrupt was refused.
fn now(vector: &VectorStatistics) -> String {
    let state = match (vector.masked, vector.pending) {
        (true, true) => Some("masked, pending"),
        (true, false) => Some("masked"),
        (false, true) => Some("pending"),
        (false, false) => None,
    };
    let told = [state, vector.last_fault.as_deref()];
    told.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(statistics: &str) -> String {
        let mut out = Vec::new();
        write(&mut out, &serde_json::from_str(statistics).unwrap()).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_vector_has_its_row() {
        let said = said(
            r#"{"parent":{"interfaces":1,"engines":4,"cpus":11,"ims-entries":2048,"ims-used":1},
            "devices":[{"name":"a","kind":"virtual","socket":"/s","state":"enabled","maps":1,
            "vectors":2,"pasid":7,"errors":3,
            "queues":[{"queue":0,"enabled":true,"waiting":5,"submitted":6,"refused":7,"completed":8}],
            "interrupts":[{"kind":"ims","vector":1,"index":9,"handle":10,"target":"cpu 1 vector 0x21",
            "masked":true,"pending":true,"raised":11,"delivered":12,"coalesced":13,"held":14,
            "faulted":15,"dropped":16,"last-fault":"no trigger"},
            {"kind":"emulated","vector":0,"masked":false,"pending":false,"raised":0,"delivered":0,
            "coalesced":0,"held":0,"faulted":0,"dropped":0}]}]}"#,
        );
        let rows: Vec<Vec<_>> = said
            .lines()
            .map(|line| {
                line.split("  ")
                    .filter(|cell| !cell.is_empty())
                    .map(str::trim)
                    .collect()
            })
            .collect();
        assert_eq!(
            rows[0],
            ["Parent: 1 interfaces on 4 engines and 11 CPUs; 1 of 2048 IMS entries in use"]
        );
        assert_eq!(
            rows[3],
            ["a", "virtual", "enabled", "3", "0", "5", "6", "7", "8"]
        );
        assert_eq!(
            rows[6],
            [
                "a",
                "1",
                "ims",
                "9",
                "10",
                "cpu 1 vector 0x21",
                "11",
                "12",
                "13",
                "14",
                "15",
                "16",
                "masked, pending; no trigger",
            ]
        );
        assert_eq!(rows[7][..6], ["a", "0", "emulated", "-", "-", "-"]);
    }

    #[test]
    fn a_function_without_used_queues_is_there() {
        let said = said(
            r#"{"devices":[{"name":"f","kind":"physical","socket":"/s","state":"disabled","maps":0,
            "vectors":9,"errors":0,"queues":[],"interrupts":[]}]}"#,
        );
        assert!(
            said.contains("f       physical  disabled  0       -"),
            "{said}"
        );
    }
}
