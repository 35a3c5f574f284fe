// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One figure, beside its neighbour and its budget.

use super::timing::Figure;
use serde::Serialize;

/// A benchmark's answer.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) bench: &'static str,
    pub(super) rows: Vec<Row>,
}

/// One figure.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Row {
    pub(super) name: String,
    /// None if it could not be measured here; the note says why.
    pub(super) value: Option<f64>,
    pub(super) unit: &'static str,
    pub(super) neighbour: Option<Neighbour>,
    /// How many times the neighbour's value is this one.
    pub(super) ratio: Option<f64>,
    pub(super) budget: Option<Budget>,
    pub(super) met: Option<bool>,
    pub(super) note: Option<String>,
    /// Where it stands in a table of its own, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cell: Option<Cell>,
}

/// A place in a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Cell {
    pub(super) line: String,
    pub(super) column: &'static str,
}

/// What a figure is compared with.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Neighbour {
    pub(super) name: &'static str,
    pub(super) value: f64,
    pub(super) unit: &'static str,
}

/// What the design allows.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub(super) enum Budget {
    /// At most this, in the row's unit.
    AtMost(f64),
    /// In words.
    Words(String),
}

/// How far median and best batch are apart on a machine that has other work.
const BUSY: f64 = 1.5;

impl Row {
    pub(super) fn new(name: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self {
            name: name.into(),
            value: Some(value),
            unit,
            neighbour: None,
            ratio: None,
            budget: None,
            met: None,
            note: None,
            cell: None,
        }
    }

    /// A median in nanoseconds; the best batch goes into the note, and whether it
    /// was much better than the median.
    pub(super) fn figure(name: impl Into<String>, figure: Figure) -> Self {
        let Figure { median, best } = figure;
        let row = Self::new(name, median, "ns").note(format!("best batch {best:.1}"));
        if median > best * BUSY {
            row.note("batches differ much: the machine is busy")
        } else {
            row
        }
    }

    /// What cannot be measured on this machine.
    pub(super) fn skipped(name: impl Into<String>, unit: &'static str, why: &str) -> Self {
        Self {
            value: None,
            ..Self::new(name, 0.0, unit)
        }
        .note(format!("skipped: {why}"))
    }

    /// Compared with a neighbour, in nanoseconds too.
    pub(super) fn beside(self, neighbour: Option<(&'static str, Figure)>) -> Self {
        match neighbour {
            Some((name, figure)) => self.compared(name, figure.median),
            None => self,
        }
    }

    /// Compared with a neighbour's value in the row's own unit.
    pub(super) fn compared(mut self, name: &'static str, value: f64) -> Self {
        let unit = self.unit;
        self.neighbour = Some(Neighbour { name, value, unit });
        self.ratio = self.value.filter(|own| *own != 0.0).map(|own| value / own);
        self
    }

    /// Must be at most `limit`.
    pub(super) fn at_most(mut self, limit: f64) -> Self {
        self.met = self.value.map(|value| value <= limit);
        self.budget = Some(Budget::AtMost(limit));
        self
    }

    /// Must be at least `limit`.
    pub(super) fn at_least(mut self, limit: f64) -> Self {
        self.met = self.value.map(|value| value >= limit);
        self.budget = Some(Budget::Words(format!(">= {limit}")));
        self
    }

    /// Must be no further than `apart` from `wanted`.
    pub(super) fn within(mut self, wanted: f64, apart: f64) -> Self {
        self.met = self.value.map(|value| (value - wanted).abs() <= apart);
        self.budget = Some(Budget::Words(format!("{wanted} ± {apart}")));
        self
    }

    /// Stands in a table, under `column` in `line`.
    pub(super) fn cell(mut self, line: impl Into<String>, column: &'static str) -> Self {
        let line = line.into();
        self.cell = Some(Cell { line, column });
        self
    }

    /// Something a reader must know beside the figure.
    pub(super) fn note(mut self, note: impl AsRef<str>) -> Self {
        self.note = Some(match self.note {
            None => note.as_ref().to_owned(),
            Some(before) => format!("{before}; {}", note.as_ref()),
        });
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn json(row: &Row) -> Value {
        serde_json::to_value(row).unwrap()
    }

    #[test]
    fn a_row_is_json_with_every_member_present() {
        let figure = |median| Figure { median, best: 18.0 };
        let row = Row::figure("raise", figure(20.0))
            .beside(Some(("irqfd write", figure(300.0))))
            .at_most(25.0);
        let expected = json!({
            "name": "raise", "value": 20.0, "unit": "ns",
            "neighbour": {"name": "irqfd write", "value": 300.0, "unit": "ns"},
            "ratio": 15.0, "budget": 25.0, "met": true, "note": "best batch 18.0",
        });
        assert_eq!(json(&row), expected);
        let row = Row::new("times", 9.5, "x").at_least(10.0);
        let expected = json!({
            "name": "times", "value": 9.5, "unit": "x", "neighbour": null,
            "ratio": null, "budget": ">= 10", "met": false, "note": null,
        });
        assert_eq!(json(&row), expected);
    }

    #[test]
    fn a_median_far_from_the_best_batch_says_the_machine_is_busy() {
        let note = |median| Row::figure("raise", Figure { median, best: 20.0 }).note;
        assert_eq!(note(25.0).unwrap(), "best batch 20.0");
        assert!(note(60.0).unwrap().ends_with("the machine is busy"));
    }

    #[test]
    fn what_was_skipped_has_no_value_and_keeps_no_budget() {
        let row = Row::skipped("irqfd write", "ns", "no /dev/kvm").at_most(5.0);
        let json = json(&row);
        assert_eq!(json["value"], Value::Null);
        assert_eq!(json["met"], Value::Null);
        assert_eq!(json["note"], "skipped: no /dev/kvm");
    }

    #[test]
    fn a_report_names_its_bench() {
        let report = Report {
            bench: "core",
            rows: vec![Row::new("a", 1.0, "ns")],
        };
        let json = serde_json::to_value(report).unwrap();
        assert_eq!(json["bench"], "core");
        assert_eq!(json["rows"][0]["name"], "a");
    }
}
