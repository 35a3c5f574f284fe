// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a benchmark answers: `{"rows": [{"name", "value", "unit", "neighbour",
//! "ratio", "budget", "met", "note", "cell"}, …]}`.

use crate::failure::Failure;
use serde::Deserialize;
use serde_json::Value;

/// One thing measured.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    /// None if it could not be measured; `note` says why.
    pub(crate) value: Option<f64>,
    pub(crate) unit: String,
    /// What it is compared with, measured in the same run.
    #[serde(default)]
    pub(crate) neighbour: Option<Neighbour>,
    #[serde(default)]
    pub(crate) ratio: Option<f64>,
    /// A number in the row's unit, or words.
    #[serde(default)]
    pub(crate) budget: Option<Value>,
    /// Whether the budget was kept; none if there is none.
    #[serde(default)]
    pub(crate) met: Option<bool>,
    /// What a reader must know beside the value.
    #[serde(default)]
    pub(crate) note: Option<String>,
    /// Its place in a table of its own, if it has one.
    #[serde(default)]
    pub(crate) cell: Option<Cell>,
}

/// A place in a table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Cell {
    pub(crate) line: String,
    pub(crate) column: String,
}

/// A neighbour's value, in the unit of the row it stands in.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Neighbour {
    pub(crate) name: String,
    pub(crate) value: f64,
}

#[derive(Deserialize)]
struct Answer {
    rows: Vec<Row>,
}

/// Reads what `ims bench <bench> --json` printed.
///
/// # Errors
/// [`Failure::Form`] if it is not of that form or holds no rows.
pub(crate) fn read(bench: &str, answer: &str) -> Result<Vec<Row>, Failure> {
    let wrong = |why| Failure::Form {
        what: format!("`ims bench {bench} --json`"),
        why,
    };
    let Answer { rows } = serde_json::from_str(answer)
        .map_err(|error| wrong(format!("{error}; it answered:\n{answer}")))?;
    if rows.is_empty() {
        return Err(wrong("measured nothing".to_owned()));
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_may_have_neither_neighbour_nor_budget() {
        let rows = read(
            "x",
            r#"{"rows":[{"name":"a","value":1,"unit":"ns","neighbour":null,"more":[]}],"x":1}"#,
        )
        .unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!(
            (rows[0].value, rows[0].neighbour.is_none()),
            (Some(1.0), true)
        );
        assert_eq!(
            (rows[0].met, rows[0].ratio, &rows[0].budget),
            (None, None, &None)
        );
    }

    #[test]
    fn a_row_that_was_skipped_has_no_value_and_says_why() {
        let rows = read(
            "x",
            r#"{"rows":[{"name":"a","value":null,"unit":"ns","note":"skipped: no /dev/kvm"}]}"#,
        )
        .unwrap();
        assert_eq!(rows[0].value, None);
        assert_eq!(rows[0].note.as_deref(), Some("skipped: no /dev/kvm"));
    }

    #[test]
    fn what_is_not_of_the_form_fails_and_is_shown() {
        let failure = read("core", r#"{"rows":[{"name":"a"}]}"#)
            .unwrap_err()
            .to_string();
        assert!(
            failure.contains("ims bench core") && failure.contains(r#""a""#),
            "{failure}"
        );
        assert!(read("core", "").is_err());
    }

    #[test]
    fn no_rows_are_a_failure() {
        assert!(read("core", r#"{"rows":[]}"#).is_err());
    }
}
