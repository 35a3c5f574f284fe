// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `ims bench kvm` as a user runs it: with KVM it measures everything and loses
//! nothing, without it says so.
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

/// What there must be a value of.
const MEASURED: [&str; 13] = [
    "256 vectors unmasked one by one, in the exits",
    "2048 vectors unmasked one by one, until all are irqfds",
    "4072 vectors unmasked one by one, in the exits",
    "an irqfd's vector masked, the exit",
    "100000 sources on 16 vCPUs, raised and taken",
    "raise by message",
    "eventfd, promoted",
    "eventfd, forwarded",
    "raise by message to the guest's handler",
    "eventfd, forwarded to the guest's handler",
    "eventfd, promoted to the guest's handler",
    "64 devices of 64 vectors: save",
    "64 devices of 64 vectors: restore, an eventfd each",
];

/// What must be as it is on any machine, however loaded: counts, not times.
const COUNTED: [(&str, f64); 5] = [
    ("100000 sources on 16 vCPUs, lost or taken twice", 0.0),
    ("64 devices of 64 vectors: restore, rewrites", 1.0),
    (
        "64 devices of 64 vectors: restore, raised by message, calls",
        0.0,
    ),
    (
        "a vector of 2048 at rest, raised by message: descriptors",
        0.0,
    ),
    ("a vector of 2048 at rest, eventfd, forwarded: GSIs", 0.0),
];

fn row<'a>(rows: &'a [Value], name: &str) -> &'a Value {
    rows.iter()
        .find(|row| row["name"] == name)
        .unwrap_or_else(|| panic!("no row {name:?} in {rows:#?}"))
}

#[test]
fn everything_is_measured_on_kvm_and_nothing_is_lost() {
    const NAME: &str = "everything_is_measured_on_kvm_and_nothing_is_lost";
    if let Err(error) = OpenOptions::new().read(true).write(true).open("/dev/kvm") {
        eprintln!("SKIPPED {NAME}: /dev/kvm: {error}");
        return;
    }
    let home = Home::new("bench-kvm");
    let answer = json(&home.ims(&["bench", "kvm", "--quick", "--json"]));
    assert_eq!(answer["bench"], "kvm");
    let rows = answer["rows"].as_array().unwrap();
    for row in rows {
        let skipped = row["note"]
            .as_str()
            .is_some_and(|note| note.contains("skipped: "));
        if skipped {
            // What a machine lacks beside KVM: descriptors, a second CPU.
            eprintln!("SKIPPED {NAME}: {}: {}", row["name"], row["note"]);
            return;
        }
    }
    for name in MEASURED {
        let value = row(rows, name)["value"].as_f64();
        assert!(value.is_some_and(|value| value > 0.0), "{name}: {value:?}");
    }
    for (name, expected) in COUNTED {
        assert_eq!(row(rows, name)["value"], expected, "{name}");
    }
}
