// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `ims bench virtio` as a user runs it: with KVM it has the whole table, loses nothing
//! and keeps what interrupt storage promises; without it says so.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    unreachable_pub,
    dead_code,
    reason = "a test"
)]

mod program;

use program::{Home, json};
use serde_json::Value;
use std::fs::OpenOptions;

const COLUMNS: [&str; 4] = [
    "virtio-mmio, single interrupt",
    "virtio-mmio, MSI",
    "virtio-mmio, VIS",
    "virtio-pci, MSI-X",
];

const QUEUES: [&str; 5] = [
    "1 queue",
    "4 queues",
    "16 queues",
    "64 queues",
    "256 queues",
];

/// Counts, which no load of the machine changes.
fn value(rows: &[Value], line: &str, column: &str) -> Option<f64> {
    let row = rows
        .iter()
        .find(|row| row["cell"]["line"] == line && row["cell"]["column"] == column)
        .unwrap_or_else(|| panic!("no {line:?} of {column:?}"));
    row["value"].as_f64()
}

#[test]
fn the_table_is_whole_and_interrupt_storage_keeps_its_promises() {
    const NAME: &str = "the_table_is_whole_and_interrupt_storage_keeps_its_promises";
    if let Err(error) = OpenOptions::new().read(true).write(true).open("/dev/kvm") {
        eprintln!("SKIPPED {NAME}: /dev/kvm: {error}");
        return;
    }
    let home = Home::new("bench-virtio");
    let answer = json(&home.ims(&["bench", "virtio", "--quick", "--json"]));
    assert_eq!(answer["bench"], "virtio");
    let rows = answer["rows"].as_array().unwrap();
    let vis = COLUMNS[2];
    for queues in QUEUES {
        let of = |what: &str, column| value(rows, &format!("{what}, {queues}"), column);
        assert!(of("set up all interrupts", vis).unwrap() <= 4.0);
        assert_eq!(of("mask one", vis), Some(0.0));
        assert!(of("unmask one", vis).unwrap() <= 1.0);
        assert!(of("unmask one, something pending", vis).unwrap() <= 1.0);
        for column in COLUMNS {
            assert_eq!(of("interrupts told and not taken", column), Some(0.0));
            assert!(of("move one to another CPU", column).unwrap() > 0.0);
            assert!(of("a 4-KiB read, time", column).unwrap() > 0.0);
            let masked = of("mask one", column).is_some();
            assert_eq!(masked, column != COLUMNS[0], "{column}");
        }
        for column in &COLUMNS[1..] {
            assert_eq!(of("an interrupt taken", column), Some(0.0), "{column}");
            // The notification, unless the device still looks by itself.
            let read = of("a 4-KiB read", column).unwrap();
            assert!((0.5..=1.0).contains(&read), "{column}: {read}");
        }
        let busiest = "spread load: taken by the busiest of 4 vCPUs";
        assert_eq!(of(busiest, COLUMNS[0]), Some(100.0));
        for column in COLUMNS.iter().skip(1).filter(|_| queues != "1 queue") {
            assert_eq!(of(busiest, column), Some(25.0), "{column}");
        }
    }
    for column in COLUMNS {
        assert!(value(rows, "lines of code, device side", column).unwrap() > 0.0);
        assert!(value(rows, "lines of code, driver side", column).unwrap() > 0.0);
    }
}
