// SPDX-License-Identifier: Apache-2.0 OR MIT
//! `ims run` with its virtual machines on KVM.
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

use std::fs::OpenOptions;
use std::process::{Command, Output};

use program::{IMS, json};
use serde_json::Value;

/// Why there is no KVM for test `name`, said where the harness looks.
fn without_kvm(name: &str) -> bool {
    let kvm = OpenOptions::new().read(true).write(true).open("/dev/kvm");
    if let Err(error) = &kvm {
        eprintln!("SKIPPED {name}: /dev/kvm: {error}");
    }
    kvm.is_err()
}

/// A short run of few interfaces, with all that disturbs.
fn short(vcpus: &str, more: &[&str]) -> Output {
    let few = [
        "run",
        "--on",
        "kvm",
        "--json",
        "--seconds",
        "0.5",
        "--adis",
        "100",
        "--vcpus",
        vcpus,
        "--offline",
        "10",
    ];
    Command::new(IMS).args(few).args(more).output().unwrap()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

/// Sums over machines and over all, told and added up.
fn every_guest_counted_what_was_sent(report: &Value) {
    assert_eq!(report["on"], "KVM, in-kernel APICs");
    let all = &report["guests"];
    assert!(number(&all["sent"]) > 0);
    assert_eq!(all["sent"], all["counted"]);
    assert_eq!(all["counted"], report["interrupts"]["taken"]);
    assert_eq!(all["refused"], 0);
    let found = number(&all["runs"]) - number(&all["empty"]);
    assert_eq!(found, number(&all["counted"]));
    let vms = report["vms"].as_array().unwrap();
    for vm in vms {
        let taken = vm["cpus"].as_array().unwrap().iter();
        let taken: u64 = taken.map(|cpu| number(&cpu["taken"])).sum();
        assert!(taken > 0);
        assert_eq!(number(&vm["guest"]["sent"]), taken);
        assert_eq!(number(&vm["guest"]["counted"]), taken);
    }
    let counted = vms.iter().map(|vm| number(&vm["guest"]["counted"]));
    assert_eq!(counted.sum::<u64>(), number(&all["counted"]));
}

#[test]
fn guests_on_kvm_count_exactly_what_was_sent_to_them() {
    if without_kvm("guests_on_kvm_count_exactly_what_was_sent_to_them") {
        return;
    }
    let report = json(&short("4", &[]));
    assert_eq!(report["ok"], true);
    every_guest_counted_what_was_sent(&report);
    let disturbed = &report["disturbances"];
    for kind in ["moved", "masked", "destroyed", "cpus_offline"] {
        assert!(number(&disturbed[kind]) > 0, "{kind}: {disturbed}");
    }
}

#[test]
fn a_guest_with_more_cpus_than_an_xapic_can_name_counts_as_exactly() {
    if without_kvm("a_guest_with_more_cpus_than_an_xapic_can_name_counts_as_exactly") {
        return;
    }
    let report = json(&short("300", &["--vms", "1", "--queues", "4"]));
    assert_eq!(report["ok"], true);
    every_guest_counted_what_was_sent(&report);
    let cpus = report["vms"][0]["cpus"].as_array().unwrap();
    assert!(cpus[255..].iter().any(|cpu| number(&cpu["taken"]) > 0));
}

#[test]
fn the_report_for_people_says_what_the_machines_ran_on() {
    if without_kvm("the_report_for_people_says_what_the_machines_ran_on") {
        return;
    }
    let few = [
        "run",
        "--on",
        "kvm",
        "--seconds",
        "0.1",
        "--vms",
        "1",
        "--adis",
        "4",
    ];
    let output = Command::new(IMS).args(few).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("1 VMs (KVM, in-kernel APICs)"), "{text}");
    assert!(text.contains("counted by guest code"), "{text}");
    assert_eq!(output.stderr, b"");
}
