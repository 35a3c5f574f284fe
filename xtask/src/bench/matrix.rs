// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Rows that stand beside each other on the page.

use super::page::{budget, number};
use super::rows::{Cell, Row};
use std::fmt::Write;

/// A line for each that rows name, in their order, and a column likewise; then what
/// rows say of themselves, each column's once.
pub(super) fn matrix(rows: &[Row]) -> String {
    let placed: Vec<_> = rows
        .iter()
        .filter_map(|row| row.cell.as_ref().map(|cell| (cell, row)))
        .collect();
    let columns = in_order(placed.iter().map(|(cell, _)| cell.column.as_str()));
    // Writing to a string cannot fail.
    let mut text = String::new();
    let _ = writeln!(
        text,
        "| what | {} | unit | budget | met |",
        columns.join(" | ")
    );
    let _ = writeln!(text, "|---|{}---|---|---|", "---:|".repeat(columns.len()));
    let (mut notes, mut said) = (Vec::new(), Vec::new());
    for line in in_order(placed.iter().map(|(cell, _)| cell.line.as_str())) {
        let of_line: Vec<_> = placed
            .iter()
            .filter(|(cell, _)| cell.line == line)
            .collect();
        let values: Vec<_> = columns
            .iter()
            .map(|column| {
                let row = of_line.iter().find(|(cell, _)| cell.column == *column);
                let value = row.and_then(|(_, row)| row.value);
                value.map_or_else(|| "–".to_owned(), number)
            })
            .collect();
        let unit = of_line.first().map_or("", |(_, row)| row.unit.as_str());
        let (budget, met) = judged(&of_line, columns.len());
        let values = values.join(" | ");
        let _ = writeln!(text, "| {line} | {values} | {unit} | {budget} | {met} |");
        for (cell, row) in of_line {
            let Some(note) = &row.note else { continue };
            let of_column = (cell.column.as_str(), note.as_str());
            if !said.contains(&of_column) {
                said.push(of_column);
                notes.push(format!("- {line}, {}: {note}\n", cell.column));
            }
        }
    }
    if !notes.is_empty() {
        text.push('\n');
        text.extend(notes);
    }
    text
}

/// The line's budget, of whom if not of all, and who did not keep it.
fn judged(rows: &[&(&Cell, &Row)], columns: usize) -> (String, String) {
    let judged: Vec<_> = rows
        .iter()
        .filter(|(_, row)| row.budget.is_some())
        .collect();
    let Some((cell, row)) = judged.first() else {
        return (String::new(), String::new());
    };
    let mut limit = row.budget.as_ref().map(budget).unwrap_or_default();
    if judged.len() < columns {
        limit = format!("{}: {limit}", cell.column);
    }
    let broken = judged.iter().filter(|(_, row)| row.met == Some(false));
    let broken: Vec<_> = broken.map(|(cell, _)| cell.column.as_str()).collect();
    let met = if broken.is_empty() {
        "yes".to_owned()
    } else {
        format!("**no**: {}", broken.join(", "))
    };
    (limit, met)
}

/// Each once, as they come first.
fn in_order<'a>(all: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut once = Vec::new();
    for one in all {
        if !once.contains(&one) {
            once.push(one);
        }
    }
    once
}

#[cfg(test)]
mod tests {
    use super::super::rows;
    use super::*;

    #[test]
    fn a_line_has_a_column_for_each_and_notes_stand_below() {
        let answer = r#"{"rows":[
            {"name":"","value":null,"unit":"exits","note":"skipped: none",
             "cell":{"line":"mask","column":"single"}},
            {"name":"","value":2,"unit":"exits","budget":0,"met":false,
             "cell":{"line":"mask","column":"VIS"}},
            {"name":"","value":0,"unit":"lost","budget":0,"met":true,
             "cell":{"line":"lost","column":"single"}},
            {"name":"","value":0,"unit":"lost","budget":0,"met":true,
             "cell":{"line":"lost","column":"VIS"}}
        ]}"#;
        let rows = rows::read("x", answer).unwrap();
        let expected = "| what | single | VIS | unit | budget | met |\n\
                        |---|---:|---:|---|---|---|\n\
                        | mask | – | 2.00 | exits | VIS: 0 | **no**: VIS |\n\
                        | lost | 0 | 0 | lost | 0 | yes |\n\
                        \n- mask, single: skipped: none\n";
        assert_eq!(matrix(&rows), expected);
    }
}
