// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The page of measurements, `docs/measurements.md`.

use super::machine::Machine;
use super::matrix::matrix;
use super::rows::Row;
use serde_json::Value;
use std::fmt::Write;

/// One benchmark's rows.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) name: String,
    /// What gives them.
    pub(crate) command: String,
    pub(crate) rows: Vec<Row>,
}

/// Writes the page.
pub(crate) fn page(machine: &Machine, date: &str, benches: &[Bench]) -> String {
    let kind = if machine.is_virtual {
        "a virtual machine"
    } else {
        "bare metal"
    };
    let mut page = format!(
        "<!-- SPDX-License-Identifier: Apache-2.0 OR MIT -->\n\
         # Measurements\n\n\
         Written by `cargo xtask bench`; do not edit. Each value is measured beside its\n\
         neighbour in the same run; *ratio* compares the two, *budget* is what the\n\
         design allows.\n\n\
         - machine: {}, {} CPUs, {kind}\n- kernel: {}\n- date: {date}\n",
        machine.model, machine.cpus, machine.kernel
    );
    for bench in benches {
        // Writing to a string cannot fail.
        let _ = write!(
            page,
            "\n## {}\n\n`{}`\n\n{}",
            bench.name,
            bench.command,
            tables(&bench.rows)
        );
    }
    page
}

/// The rows whose budget was not kept: `<bench>: <row>`.
pub(crate) fn over_budget(benches: &[Bench]) -> Vec<String> {
    let over = |bench: &Bench| -> Vec<String> {
        let rows = bench.rows.iter().filter(|row| row.met == Some(false));
        rows.map(|row| format!("{}: {}", bench.name, row.name))
            .collect()
    };
    benches.iter().flat_map(over).collect()
}

/// Rows that have a place beside others, and then all else.
fn tables(rows: &[Row]) -> String {
    let (cells, rows): (Vec<_>, Vec<_>) = rows.iter().cloned().partition(|row| row.cell.is_some());
    let parts = [matrix(&cells), table(&rows)];
    let empty = [cells.is_empty(), rows.is_empty()];
    let parts = parts.into_iter().zip(empty).filter(|(_, empty)| !empty);
    parts.map(|(part, _)| part).collect::<Vec<_>>().join("\n")
}

fn table(rows: &[Row]) -> String {
    let mut table =
        "| what | value | unit | neighbour | its value | ratio | budget | met | note |\n\
                     |---|---:|---|---|---:|---:|---|---|---|\n"
            .to_owned();
    for row in rows {
        let neighbour = row.neighbour.as_ref();
        let cells = [
            row.name.clone(),
            row.value.map(number).unwrap_or_default(),
            row.unit.clone(),
            neighbour
                .map(|neighbour| neighbour.name.clone())
                .unwrap_or_default(),
            neighbour
                .map(|neighbour| number(neighbour.value))
                .unwrap_or_default(),
            row.ratio.map(number).unwrap_or_default(),
            row.budget.as_ref().map(budget).unwrap_or_default(),
            row.met
                .map(|met| if met { "yes" } else { "**no**" }.to_owned())
                .unwrap_or_default(),
            row.note.clone().unwrap_or_default(),
        ];
        let cells = cells.map(|cell| cell.replace('|', "\\|").replace('\n', " "));
        let _ = writeln!(table, "| {} |", cells.join(" | "));
    }
    table
}

/// Four digits or so: no measurement here is good for more.
pub(super) fn number(value: f64) -> String {
    let digits = match value.abs() {
        size if size == 0.0 || size >= 1000.0 => 0,
        size if size >= 100.0 => 1,
        size if size >= 1.0 => 2,
        _ => 4,
    };
    format!("{value:.digits$}")
}

pub(super) fn budget(budget: &Value) -> String {
    match budget {
        Value::Null => String::new(),
        Value::String(words) => words.clone(),
        Value::Number(value) => value.as_f64().map(number).unwrap_or_default(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::rows;

    const ANSWER: &str = r#"{"rows":[
        {"name":"raise | post","value":7.834,"unit":"ns",
         "neighbour":{"name":"irqfd write","value":912.44},"ratio":116.5,"budget":25,"met":true},
        {"name":"churn","value":1234.56,"unit":"ns","budget":"≤ 500 ns","met":false},
        {"name":"plain","value":0.01234,"unit":"s","budget":null,"met":null},
        {"name":"call","value":null,"unit":"ns","note":"skipped: no /dev/kvm"}
    ]}"#;

    fn benches() -> Vec<Bench> {
        vec![Bench {
            command: "cargo run --release -- bench core".to_owned(),
            name: "core".to_owned(),
            rows: rows::read("core", ANSWER).unwrap(),
        }]
    }

    #[test]
    fn the_table_has_a_line_a_row_and_empty_cells_for_what_is_not_there() {
        let table = table(&benches()[0].rows);
        let lines: Vec<_> = table.lines().skip(2).collect();
        assert_eq!(
            lines,
            [
                r"| raise \| post | 7.83 | ns | irqfd write | 912.4 | 116.5 | 25.00 | yes |  |",
                "| churn | 1235 | ns |  |  |  | ≤ 500 ns | **no** |  |",
                "| plain | 0.0123 | s |  |  |  |  |  |  |",
                r"| call |  | ns |  |  |  |  |  | skipped: no /dev/kvm |",
            ]
        );
    }

    #[test]
    fn the_page_says_where_when_and_how() {
        let machine = Machine {
            model: "Some CPU".to_owned(),
            cpus: 2,
            kernel: "6.12.1".to_owned(),
            is_virtual: true,
        };
        let page = page(&machine, "2026-01-31", &benches());
        for part in [
            "Some CPU, 2 CPUs, a virtual machine",
            "kernel: 6.12.1",
            "date: 2026-01-31",
            "## core",
            "`cargo run --release -- bench core`",
        ] {
            assert!(page.contains(part), "{page}");
        }
    }

    #[test]
    fn only_a_budget_that_was_broken_is_over() {
        assert_eq!(over_budget(&benches()), ["core: churn"]);
    }
}
