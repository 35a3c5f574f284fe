// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Rows as a table for people.

use super::row::{Budget, Row};

const HEAD: [&str; 8] = [
    "what",
    "value",
    "unit",
    "neighbour",
    "its value",
    "ratio",
    "budget",
    "met",
];
/// Columns that hold figures are aligned to the right.
const RIGHT: [bool; 8] = [false, true, false, false, true, true, true, false];

/// The table, and below each row its note.
pub(super) fn table(rows: &[Row]) -> String {
    let lines: Vec<_> = rows.iter().map(|row| (cells(row), &row.note)).collect();
    let mut widths = HEAD.map(str::len);
    for (cells, _) in &lines {
        for (width, cell) in widths.iter_mut().zip(cells) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut table = line(&HEAD.map(str::to_owned), &widths);
    for (cells, note) in lines {
        table += &line(&cells, &widths);
        if let Some(note) = note {
            table += &format!("    {note}\n");
        }
    }
    table
}

fn line(cells: &[String], widths: &[usize]) -> String {
    let padded: Vec<_> = cells
        .iter()
        .zip(widths)
        .zip(RIGHT)
        .map(|((cell, width), right)| {
            if right {
                format!("{cell:>width$}")
            } else {
                format!("{cell:<width$}")
            }
        })
        .collect();
    format!("{}\n", padded.join("  ").trim_end())
}

fn cells(row: &Row) -> [String; 8] {
    let neighbour = row.neighbour.as_ref();
    [
        row.name.clone(),
        row.value.map_or("-".to_owned(), number),
        row.unit.to_owned(),
        neighbour.map_or_else(String::new, |neighbour| neighbour.name.to_owned()),
        neighbour.map_or_else(String::new, |neighbour| number(neighbour.value)),
        row.ratio.map_or_else(String::new, number),
        match &row.budget {
            None => String::new(),
            Some(Budget::AtMost(limit)) => format!("<= {limit}"),
            Some(Budget::Words(words)) => words.clone(),
        },
        met(row),
    ]
}

/// Whether the budget was met, or by how much it was not.
pub(super) fn met(row: &Row) -> String {
    match (row.met, row.value, &row.budget) {
        (Some(true), ..) => "yes".to_owned(),
        (Some(false), Some(value), Some(Budget::AtMost(limit))) => {
            format!("no, {} over", number(value - limit))
        }
        (Some(false), ..) => "no".to_owned(),
        (None, ..) => String::new(),
    }
}

/// Three digits or so: no measurement here is good for more.
pub(super) fn number(value: f64) -> String {
    let digits = match value.abs() {
        size if size < 10.0 => 2,
        size if size < 100.0 => 1,
        _ => 0,
    };
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::super::timing::Figure;
    use super::*;

    #[test]
    fn columns_line_up_and_notes_stand_below_their_row() {
        let figure = |median| Figure { median, best: 7.0 };
        let rows = [
            Row::figure("raise", figure(7.83))
                .beside(Some(("irqfd write", figure(912.4))))
                .at_most(25.0),
            Row::new("churn at 1 M", 612.3, "ns").at_most(500.0),
            Row::skipped("irqfd write", "ns", "no /dev/kvm"),
            Row::new("times", 9.0, "x").at_least(10.0),
        ];
        let expected = "\
what          value  unit  neighbour    its value  ratio  budget  met
raise          7.83  ns    irqfd write        912    117   <= 25  yes
    best batch 7.0
churn at 1 M    612  ns                                   <= 500  no, 112 over
irqfd write       -  ns
    skipped: no /dev/kvm
times          9.00  x                                     >= 10  no
";
        assert_eq!(table(&rows), expected);
    }
}
