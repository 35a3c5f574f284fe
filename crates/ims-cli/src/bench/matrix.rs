// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Rows that stand beside each other, as a table for people.

use super::row::{Budget, Cell, Row};
use super::table::{met, number};

/// A line for each that rows name, in their order, and a column likewise; below a line
/// what its rows say of themselves, unless it was said above.
pub(super) fn matrix(rows: &[Row]) -> String {
    let placed: Vec<_> = rows
        .iter()
        .filter_map(|row| row.cell.as_ref().map(|cell| (cell, row)))
        .collect();
    let columns = in_order(placed.iter().map(|(cell, _)| cell.column));
    let mut head = vec![String::new()];
    head.extend(columns.iter().map(|column| (*column).to_owned()));
    head.extend(["unit".to_owned(), "budget".to_owned()]);
    let mut table = vec![(head, Vec::new())];
    let mut said = Vec::new();
    for line in in_order(placed.iter().map(|(cell, _)| cell.line.as_str())) {
        let of_line: Vec<_> = placed
            .iter()
            .filter(|(cell, _)| cell.line == line)
            .copied()
            .collect();
        let mut notes = notes(&of_line);
        notes.retain(|note| !said.contains(note));
        said.extend(notes.clone());
        table.push((cells(line, &columns, &of_line), notes));
    }
    let mut widths = Vec::new();
    for (cells, _) in &table {
        widths.resize(cells.len().max(widths.len()), 0);
        for (width, cell) in widths.iter_mut().zip(cells) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for (cells, notes) in table {
        let last = columns.len();
        let padded: Vec<_> = cells
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(at, (cell, width))| match at {
                // Figures.
                at if (1..=last).contains(&at) => format!("{cell:>width$}"),
                _ => format!("{cell:<width$}"),
            })
            .collect();
        text += &format!("{}\n", padded.join("  ").trim_end());
        for note in notes {
            text += &format!("    {note}\n");
        }
    }
    text
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

fn cells(line: &str, columns: &[&str], rows: &[(&Cell, &Row)]) -> Vec<String> {
    let mut cells = vec![line.to_owned()];
    for column in columns {
        let row = rows.iter().find(|(cell, _)| cell.column == *column);
        let value = row.and_then(|(_, row)| row.value);
        cells.push(value.map_or_else(|| "-".to_owned(), number));
    }
    let unit = rows.first().map_or("", |(_, row)| row.unit);
    cells.push(unit.to_owned());
    let budgets = rows.iter().filter_map(|(cell, row)| {
        let limit = match row.budget.as_ref()? {
            Budget::AtMost(limit) => format!("<= {limit}"),
            Budget::Words(words) => words.clone(),
        };
        Some((cell.column, limit, met(row)))
    });
    let budgets: Vec<_> = budgets.collect();
    cells.push(match budgets.as_slice() {
        [] => String::new(),
        [(column, limit, met)] => format!("{column} {limit}: {met}"),
        [(_, limit, _), ..] => {
            let broken: Vec<_> = budgets
                .iter()
                .filter(|(.., met)| met.starts_with("no"))
                .map(|(column, _, met)| format!("{column} {met}"))
                .collect();
            if broken.is_empty() {
                format!("{limit}: yes")
            } else {
                format!("{limit}: {}", broken.join(", "))
            }
        }
    });
    cells
}

/// What rows say; once if they say the same.
fn notes(rows: &[(&Cell, &Row)]) -> Vec<String> {
    let notes: Vec<_> = rows
        .iter()
        .filter_map(|(cell, row)| Some((cell.column, row.note.as_deref()?)))
        .collect();
    match notes.as_slice() {
        [(_, first), rest @ ..]
            if !rest.is_empty() && rest.iter().all(|(_, note)| note == first) =>
        {
            vec![(*first).to_owned()]
        }
        _ => notes
            .iter()
            .map(|(column, note)| format!("{column}: {note}"))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_a_column_for_each_and_says_what_is_broken() {
        let row = |value, line: &str, column| Row::new("", value, "exits").cell(line, column);
        let rows = [
            row(0.0, "set up", "single"),
            row(5.0, "set up", "VIS").at_most(4.0),
            Row::skipped("", "exits", "no mask").cell("mask", "single"),
            row(0.0, "mask", "VIS").at_most(0.0).note("by memory"),
            row(1.0, "lost", "single").at_most(0.0),
            row(0.0, "lost", "VIS").at_most(0.0),
        ];
        let expected = "        single   VIS  unit   budget
set up    0.00  5.00  exits  VIS <= 4: no, 1.00 over
mask         -  0.00  exits  VIS <= 0: yes
    single: skipped: no mask
    VIS: by memory
lost      1.00  0.00  exits  <= 0: single no, 1.00 over
";
        assert_eq!(matrix(&rows), expected);
    }

    #[test]
    fn what_all_say_is_said_once() {
        let row = |column| Row::new("", 1.0, "x").note("the same").cell("a", column);
        let text = matrix(&[row("b"), row("c")]);
        assert_eq!(text.matches("the same").count(), 1);
    }
}
