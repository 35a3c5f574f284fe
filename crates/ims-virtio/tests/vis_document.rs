// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The specification of interrupt storage names a test for each requirement, and each
//! of these tests is there.
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

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn document() -> String {
    fs::read_to_string(root().join("docs/vis.md")).unwrap()
}

/// Each clause with its text.
fn clauses(document: &str) -> BTreeMap<&str, String> {
    let mut clauses = BTreeMap::new();
    let mut lines = document.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(rest) = line.strip_prefix("- **VIS-") else {
            continue;
        };
        let id = &line[4..4 + 4 + rest.find("**").unwrap()];
        let mut text = line.to_owned();
        while lines.peek().is_some_and(|next| next.starts_with("  ")) {
            text.push_str(lines.next().unwrap());
        }
        assert!(clauses.insert(id, text).is_none(), "{id} is there twice");
    }
    clauses
}

/// Each clause of the table with its tests.
fn table(document: &str) -> BTreeMap<&str, Vec<&str>> {
    let rows = document.lines().filter(|line| line.starts_with("| VIS-"));
    rows.map(|row| {
        let id = row.split('|').nth(1).unwrap().trim();
        (id, row.split('`').skip(1).step_by(2).collect())
    })
    .collect()
}

/// The names of all test functions below `directory`.
fn tests(directory: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let lines: Vec<_> = text.lines().map(str::trim).collect();
            for pair in lines.windows(2) {
                if pair[0] == "#[test]"
                    && let Some(name) = pair[1].strip_prefix("fn ")
                {
                    names.insert(name[..name.find('(').unwrap()].to_owned());
                }
            }
        }
    }
}

#[test]
fn each_requirement_has_tests_and_they_are_there() {
    let document = document();
    let (clauses, table) = (clauses(&document), table(&document));
    assert!(clauses.len() > 30, "not read as it is written");
    let mut names = BTreeSet::new();
    for directory in ["crates/ims-virtio/src", "crates/ims-virtio/tests"] {
        tests(&root().join(directory), &mut names);
    }
    for (id, text) in &clauses {
        if text.contains("MUST") {
            assert!(table.contains_key(id), "{id} has no test");
        }
    }
    for (id, shown) in &table {
        assert!(clauses.contains_key(id), "{id} is no requirement");
        assert!(!shown.is_empty(), "{id} has no test");
        for name in shown {
            assert!(names.contains(*name), "{id}: there is no test {name}");
        }
    }
}

#[test]
fn requirements_are_numbered_without_gaps_and_stand_nowhere_else() {
    let document = document();
    let clauses = clauses(&document);
    for kind in ["VIS-D-", "VIS-R-"] {
        let mut numbers: Vec<u32> = clauses
            .keys()
            .filter_map(|id| id.strip_prefix(kind)?.parse().ok())
            .collect();
        numbers.sort_unstable();
        assert!(
            numbers.iter().copied().eq(1..=numbers.len() as u32),
            "{kind}"
        );
    }
    // A MUST outside of the clauses would be one without a test.
    let normative: usize = clauses
        .values()
        .map(|text| text.matches("MUST").count())
        .sum();
    let words = document.split("## 1 Introduction").nth(1).unwrap();
    assert_eq!(words.matches("MUST").count(), normative);
}
