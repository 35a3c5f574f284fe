// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What happened to each interrupt, as a file: a table, or JSON lines.

use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde::Serialize;

/// One interrupt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct InterruptRow {
    /// Host-wide number.
    pub(crate) virq: u32,
    /// Requester id of the function that raises it: `6a:00.1`.
    pub(crate) function: String,
    /// In its domain.
    pub(crate) index: u32,
    /// Of its remap entry.
    pub(crate) handle: u32,
    pub(crate) adi: u32,
    /// Of its interface.
    pub(crate) queue: u32,
    pub(crate) vector_of_queue: u32,
    pub(crate) vm: u32,
    /// In its machine.
    pub(crate) cpu: u32,
    pub(crate) cpu_vector: u8,
    pub(crate) raised: u64,
    pub(crate) taken: u64,
    pub(crate) coalesced: u64,
    pub(crate) held: u64,
    pub(crate) refused: u64,
    pub(crate) dropped: u64,
}

/// Names of the columns, as JSON has them.
const HEADER: [&str; 16] = [
    "virq",
    "function",
    "index",
    "handle",
    "adi",
    "queue",
    "vector_of_queue",
    "vm",
    "cpu",
    "cpu_vector",
    "raised",
    "taken",
    "coalesced",
    "held",
    "refused",
    "dropped",
];

impl InterruptRow {
    fn cells(&self) -> [String; HEADER.len()] {
        [
            self.virq.to_string(),
            self.function.clone(),
            self.index.to_string(),
            self.handle.to_string(),
            self.adi.to_string(),
            self.queue.to_string(),
            self.vector_of_queue.to_string(),
            self.vm.to_string(),
            self.cpu.to_string(),
            self.cpu_vector.to_string(),
            self.raised.to_string(),
            self.taken.to_string(),
            self.coalesced.to_string(),
            self.held.to_string(),
            self.refused.to_string(),
            self.dropped.to_string(),
        ]
    }
}

/// Writes a file of `rows`: JSON lines if its name ends in `.json` or `.jsonl`,
/// else a table.
///
/// # Errors
/// The operating system's.
pub(crate) fn write_interrupts(path: &Path, rows: &[InterruptRow]) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    let json = path.extension().is_some_and(|extension| {
        extension.eq_ignore_ascii_case("json") || extension.eq_ignore_ascii_case("jsonl")
    });
    if json {
        write_lines(&mut file, rows)?;
    } else {
        write_table(&mut file, rows)?;
    }
    file.flush()
}

fn write_lines(out: &mut impl Write, rows: &[InterruptRow]) -> io::Result<()> {
    rows.iter().try_for_each(|row| {
        serde_json::to_writer(&mut *out, row)?;
        out.write_all(b"\n")
    })
}

fn write_table(out: &mut impl Write, rows: &[InterruptRow]) -> io::Result<()> {
    // Two passes, so that millions of rows are not held as text.
    let mut widths = HEADER.map(str::len);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row.cells()) {
            *width = (*width).max(cell.len());
        }
    }
    writeln!(out, "{}", line(&HEADER, &widths))?;
    rows.iter()
        .try_for_each(|row| writeln!(out, "{}", line(&row.cells(), &widths)))
}

fn line<T: fmt::Display>(cells: &[T], widths: &[usize]) -> String {
    let cells = cells.iter().zip(widths);
    let aligned: Vec<_> = cells
        .map(|(cell, width)| format!("{cell:>width$}"))
        .collect();
    aligned.join("  ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(virq: u32, raised: u64) -> InterruptRow {
        InterruptRow {
            virq,
            function: "6a:00.1".to_owned(),
            index: 3,
            handle: 65_535,
            adi: 1,
            queue: 0,
            vector_of_queue: 1,
            vm: 2,
            cpu: 7,
            cpu_vector: 0x21,
            raised,
            taken: raised,
            coalesced: 0,
            held: 5,
            refused: 0,
            dropped: 0,
        }
    }

    fn table(rows: &[InterruptRow]) -> String {
        let mut out = Vec::new();
        write_table(&mut out, rows).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn columns_are_aligned_under_their_names() {
        let text = table(&[row(1, 2), row(4_000_000, 12_345_678_901)]);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(
            lines.iter().all(|line| line.len() == lines[0].len()),
            "{text}"
        );
        let end = |line: &str, cell: &str| line.find(cell).unwrap() + cell.len();
        assert_eq!(end(lines[0], "virq"), end(lines[2], "4000000"));
        assert_eq!(end(lines[0], "raised"), end(lines[2], "12345678901"));
    }

    #[test]
    fn columns_of_the_table_are_the_keys_of_json_with_the_same_values() {
        let row = row(9, 10);
        let json = serde_json::to_value(&row).unwrap();
        let object = json.as_object().unwrap();
        assert_eq!(object.len(), HEADER.len());
        for (name, cell) in HEADER.iter().zip(row.cells()) {
            assert_eq!(object[*name].to_string().trim_matches('"'), cell, "{name}");
        }
    }

    #[test]
    fn a_run_without_interrupts_has_a_header() {
        assert_eq!(table(&[]).lines().count(), 1);
    }

    #[test]
    fn the_name_decides_the_form() {
        for (name, is_json) in [
            ("a.jsonl", true),
            ("b.json", true),
            ("c.txt", false),
            ("d", false),
        ] {
            let path = std::env::temp_dir().join(format!("ims-rows-{}-{name}", std::process::id()));
            write_interrupts(&path, &[row(1, 2), row(2, 3)]).unwrap();
            let text = std::fs::read_to_string(&path).unwrap();
            std::fs::remove_file(&path).unwrap();
            let parsed = text
                .lines()
                .all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok());
            assert_eq!(parsed, is_json, "{text}");
            assert_eq!(text.lines().count(), if is_json { 2 } else { 3 });
        }
    }
}
