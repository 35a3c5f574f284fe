// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Text in columns as wide as what is in them.

use std::fmt;

/// Rows of text under headings. The last column is as long as it is.
pub(crate) struct Columns<const N: usize> {
    rows: Vec<[String; N]>,
}

impl<const N: usize> Columns<N> {
    /// Headings alone.
    pub(crate) fn new(headings: [&str; N]) -> Self {
        Self {
            rows: vec![headings.map(str::to_owned)],
        }
    }

    /// One more row.
    pub(crate) fn row(&mut self, row: [String; N]) {
        self.rows.push(row);
    }
}

impl<const N: usize> fmt::Display for Columns<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut widths = [0; N];
        for row in &self.rows {
            for (width, text) in widths.iter_mut().zip(row) {
                *width = text.chars().count().max(*width);
            }
        }
        for row in &self.rows {
            let mut line = String::new();
            for (text, width) in row.iter().zip(widths) {
                line.push_str(&format!("{text:width$}  "));
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest() {
        let mut columns = Columns::new(["A", "LONG", "C"]);
        columns.row(["wide".to_owned(), "x".to_owned(), "y".to_owned()]);
        assert_eq!(columns.to_string(), "A     LONG  C\nwide  x     y\n");
    }
}
