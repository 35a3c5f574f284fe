// SPDX-License-Identifier: Apache-2.0 OR MIT
#![allow(clippy::unwrap_used, reason = "tests")]

use serde_json::Value;

use super::*;

fn vm(vm: u32, cpus: u32) -> Vm {
    let cpu = |cpu: u32| Cpu {
        cpu,
        online: true,
        vectors: 10,
        taken: u64::from(vm * 1000 + cpu),
        spurious: 0,
        slept: Some(1),
    };
    Vm {
        vm,
        interrupts: 250,
        operations: 77,
        guest: None,
        cpus: (0..cpus).map(cpu).collect(),
    }
}

fn report(vms: u32, cpus: u32) -> Report {
    let mut report = Report::new(Scenario::default());
    report.interrupts = Interrupts {
        allocated: 4000,
        allocated_in_all: 4080,
        seen: 4000,
        raised: 1_234_567,
        taken: 1_234_500,
        coalesced: 67,
        held: 12,
        ..Interrupts::default()
    };
    report.operations.completed = 3_000_000;
    report.seconds = 2.0;
    report.vms = (0..vms).map(|number| vm(number, cpus)).collect();
    report
}

/// The table of CPUs: the lines up to the first empty one, without the title.
fn table(report: &Report) -> Vec<Vec<String>> {
    let text = report.to_string();
    let lines = text.lines().skip(1).take_while(|line| !line.is_empty());
    lines
        .map(|line| line.split_whitespace().map(str::to_owned).collect())
        .collect()
}

#[test]
fn few_cpus_are_columns_and_machines_are_rows() {
    let rows = table(&report(4, 8));
    assert_eq!(rows.len(), 5);
    assert_eq!(rows[0][0], "CPU0");
    assert_eq!(rows[0][7], "CPU7");
    assert_eq!(rows[0][8], "taken");
    assert_eq!(rows[3][0], "VM2:");
    assert_eq!(rows[3][1], "2000");
    assert_eq!(rows[3][8], "2007");
    assert_eq!(rows[3][9], (2000 * 8 + 28).to_string());
    let widest = report(4, 8)
        .to_string()
        .lines()
        .map(|line| line.chars().count())
        .max();
    assert!(widest.unwrap() < 160, "{widest:?}");
}

#[test]
fn many_cpus_are_summarised_and_the_lines_stay_short() {
    let report = report(64, 600);
    let rows = table(&report);
    assert_eq!(rows.len(), 65);
    assert_eq!(rows[0][3], "min/CPU");
    assert_eq!(
        rows[2][..7],
        ["VM1:", "600", "600", "779700", "1000", "1300", "1599"]
    );
    let widest = report
        .to_string()
        .lines()
        .map(|line| line.chars().count())
        .max();
    assert!(widest.unwrap() < 160, "{widest:?}");
}

#[test]
fn columns_end_where_their_names_end() {
    let mut report = report(2, 3);
    report.vms[1].cpus[2].taken = 123_456_789_012;
    let text = report.to_string();
    let lines: Vec<_> = text.lines().skip(1).take(3).collect();
    let end = |line: &str, cell: &str| line.find(cell).unwrap() + cell.len();
    assert_eq!(end(lines[0], "CPU2"), end(lines[2], "123456789012"));
    assert_eq!(end(lines[0], "CPU2"), end(lines[1], "  2"));
}

#[test]
fn offline_cpus_are_marked_and_the_mark_is_explained() {
    let mut report = report(2, 3);
    assert!(!report.to_string().contains("offline)"));
    report.vms[1].cpus[1].online = false;
    let rows = table(&report);
    assert_eq!(rows[2][2], "1001-");
    assert!(rows[3].join(" ").contains("offline"), "{rows:?}");

    let mut wide = self::report(1, 17);
    wide.vms[0].cpus[3].online = false;
    assert_eq!(table(&wide)[1][1..3], ["17", "16"]);
}

#[test]
fn machines_with_different_numbers_of_cpus_share_columns() {
    let mut report = report(2, 4);
    report.vms[0].cpus.truncate(2);
    let text = report.to_string();
    let ends: Vec<_> = text
        .lines()
        .skip(2)
        .take(2)
        .map(|line| line.chars().count())
        .collect();
    assert_eq!(ends[0], ends[1], "{text}");
}

#[test]
fn spurious_vectors_are_told_only_if_there_were_any() {
    let mut report = report(2, 3);
    assert!(!report.to_string().contains("spurious"));
    report.vms[0].cpus[0].spurious = 3;
    assert!(report.to_string().contains("3 vectors were spurious"));
}

#[test]
fn the_last_line_is_the_verdict() {
    let report = report(4, 8).concluded();
    assert!(report.ok, "{:?}", report.failures);
    let text = report.to_string();
    assert_eq!(
        text.lines().last().unwrap(),
        "OK: 4000 interrupts allocated, 4000 seen, 0 lost, 0 astray, 0 misdirected"
    );
    assert!(!text.contains("Failures"));
}

#[test]
fn each_count_that_must_be_zero_fails_by_name() {
    type Break = fn(&mut Report);
    let breaks: [(Break, &str); 6] = [
        (
            |r| r.interrupts.lost = 3,
            "3 interrupts were raised and never taken",
        ),
        (
            |r| r.interrupts.astray = 1,
            "1 interrupts were taken by a handler not theirs",
        ),
        (
            |r| r.interrupts.misdirected = 2,
            "2 interrupts were taken on a CPU not theirs",
        ),
        (
            |r| r.interrupts.seen = 3999,
            "1 allocated interrupts were never seen",
        ),
        (
            |r| r.operations.wrong = 4,
            "4 operations had a wrong result in memory",
        ),
        (
            |r| r.hostile.sent = 5,
            "5 hostile messages were not refused",
        ),
    ];
    for (break_it, failure) in breaks {
        let mut report = report(1, 1);
        break_it(&mut report);
        let report = report.concluded();
        assert!(!report.ok);
        assert_eq!(report.failures, [failure]);
        let text = report.to_string();
        assert!(text.contains(&format!("Failures\n  {failure}\n")), "{text}");
        assert!(
            text.lines().last().unwrap().starts_with("FAILED: "),
            "{text}"
        );
    }
}

#[test]
fn a_failure_the_run_found_is_kept() {
    let mut report = report(1, 1);
    report
        .failures
        .push("the counts of 3 do not add up".to_owned());
    let report = report.concluded();
    assert!(!report.ok);
    assert_eq!(report.failures, ["the counts of 3 do not add up"]);
}

#[test]
fn rates_follow_from_counts_and_no_time_is_no_rate() {
    let report = report(1, 1).concluded();
    assert!((report.operations_per_second - 1_500_000.0).abs() < 1e-6);
    assert!((report.interrupts_per_second - 617_250.0).abs() < 1e-6);
    assert!(report.to_string().contains("(1,500,000/s)"));
    let mut still = self::report(1, 1);
    still.seconds = 0.0;
    assert!(still.concluded().operations_per_second.abs() < 1e-9);
}

#[test]
fn faults_and_hostile_messages_are_told_by_kind() {
    let mut report = report(1, 1);
    report
        .faults
        .insert("22h the entry is not present".to_owned(), 1200);
    report.faults_recorded = 8;
    report.faults_overflowed = true;
    let kind = HostileKind {
        sent: 7,
        refused: 7,
    };
    report
        .hostile
        .by_kind
        .insert("another's handle".to_owned(), kind);
    let text = report.to_string();
    assert!(
        text.contains("1,200  22h the entry is not present\n"),
        "{text}"
    );
    assert!(text.contains("1,200; 8 recorded (more at a time"), "{text}");
    assert!(text.contains("7 refused  another's handle\n"), "{text}");
}

#[test]
fn json_has_every_key_and_says_what_must_be_zero_twice() {
    let mut report = report(2, 3);
    report.interrupts.lost = 5;
    let json = serde_json::to_value(report.concluded()).unwrap();
    let keys = |value: &Value| {
        value
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(
        keys(&json),
        "astray disturbances failures faults faults_overflowed faults_recorded guests hostile \
         interrupts interrupts_per_second latency_ns lost misdirected notes ok on operations \
         operations_per_second reality scenario seconds vms"
    );
    assert_eq!(
        keys(&json["interrupts"]),
        "allocated allocated_in_all astray coalesced dropped held lost misdirected raised refused \
         seen taken"
    );
    assert_eq!(
        keys(&json["operations"]),
        "by_kind bytes completed early tried_again verified wrong"
    );
    assert_eq!(keys(&json["latency_ns"]), "count max p50 p99 p999");
    assert_eq!(keys(&json["hostile"]), "by_kind refused sent");
    assert_eq!(
        keys(&json["disturbances"]),
        "composed cpus_offline cpus_online destroyed masked moved refused_moves"
    );
    assert_eq!(keys(&json["vms"][1]), "cpus guest interrupts operations vm");
    assert_eq!(
        keys(&json["vms"][1]["cpus"][0]),
        "cpu online slept spurious taken vectors"
    );
    assert_eq!(json["lost"], 5);
    assert_eq!(json["interrupts"]["lost"], 5);
    assert_eq!(json["ok"], false);
    assert_eq!(json["scenario"]["store"], "table");
    assert_eq!(json["scenario"]["disturb"]["moves"], 400);
}
