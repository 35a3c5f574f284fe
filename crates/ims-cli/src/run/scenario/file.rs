// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reads a scenario's file, field by field, each with its place.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::Scenario;
use super::error::{Origin, Place, ScenarioError, Shown};
use super::field::{DISTURB, FIELDS, Field, Given, Table};

/// The largest file read, in bytes.
const LIMIT: u64 = 1 << 20;

/// How like a name must be to be suggested: 1 is equal.
const LIKE: f64 = 0.7;

/// Where the fields that were given came from, by name.
pub(super) type Origins = BTreeMap<&'static str, Origin>;

/// Reads the file at `path` into `scenario`.
pub(super) fn read(
    path: &Path,
    scenario: &mut Scenario,
    origins: &mut Origins,
) -> Result<(), ScenarioError> {
    let name = path.display().to_string();
    let unreadable = |why: String| ScenarioError::Read {
        path: name.clone(),
        why,
    };
    let failed = |error: std::io::Error| unreadable(error.to_string());
    let file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.is_dir() {
        return Err(unreadable("it is a directory".to_owned()));
    }
    let mut bytes = Vec::new();
    file.take(LIMIT + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > LIMIT {
        return Err(ScenarioError::TooLarge {
            path: name,
            limit: LIMIT,
        });
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) => parse(&name, text, scenario, origins),
        Err(error) => {
            let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let before = String::from_utf8_lossy(valid);
            Err(ScenarioError::Syntax {
                place: Place::new(&name, &before, before.len()),
                what: "it is not text in UTF-8".to_owned(),
            })
        }
    }
}

/// Reads `text` into `scenario`; the first error in the file is the one told.
pub(super) fn parse(
    path: &str,
    text: &str,
    scenario: &mut Scenario,
    origins: &mut Origins,
) -> Result<(), ScenarioError> {
    let document = Document { path, text };
    let table = DeTable::parse(text).map_err(|error| ScenarioError::Syntax {
        place: document.place(&error.span().unwrap_or_default()),
        what: error.message().lines().collect::<Vec<_>>().join(", "),
    })?;
    for entry in in_order(table.get_ref()) {
        match (entry.value, entry.name) {
            (DeValue::Table(inner), DISTURB) => {
                for entry in in_order(inner) {
                    document.set(&entry, Table::Disturb, scenario, origins)?;
                }
            }
            (_, DISTURB) => {
                return Err(ScenarioError::Value {
                    origin: Origin::File(document.place(&entry.value_span)),
                    field: DISTURB,
                    given: document.shown(&entry),
                    right: "a table: [disturb], then its fields".to_owned(),
                });
            }
            _ => document.set(&entry, Table::Top, scenario, origins)?,
        }
    }
    Ok(())
}

/// A name and a value, with their places.
struct Entry<'a> {
    name: &'a str,
    name_span: Range<usize>,
    value: &'a DeValue<'a>,
    value_span: Range<usize>,
}

/// A table's entries as they stand in the file.
fn in_order<'a>(table: &'a DeTable<'a>) -> Vec<Entry<'a>> {
    let mut entries: Vec<_> = table
        .iter()
        .map(|(name, value)| Entry {
            name: name.get_ref(),
            name_span: name.span(),
            value: value.get_ref(),
            value_span: value.span(),
        })
        .collect();
    entries.sort_by_key(|entry| entry.name_span.start);
    entries
}

/// The file, for telling places in it.
struct Document<'a> {
    path: &'a str,
    text: &'a str,
}

impl Document<'_> {
    fn place(&self, span: &Range<usize>) -> Place {
        Place::new(self.path, self.text, span.start)
    }

    /// A value in the file's own words; a table's span is its header, which says nothing.
    fn shown(&self, entry: &Entry<'_>) -> Shown {
        match entry.value {
            DeValue::Table(_) => Shown::new("a table"),
            _ => Shown::new(self.text.get(entry.value_span.clone()).unwrap_or("?")),
        }
    }

    fn set(
        &self,
        entry: &Entry<'_>,
        table: Table,
        scenario: &mut Scenario,
        origins: &mut Origins,
    ) -> Result<(), ScenarioError> {
        let named = |field: &&Field| field.name == entry.name && field.table == table;
        let Some(field) = FIELDS.iter().find(named) else {
            return Err(ScenarioError::UnknownField {
                place: self.place(&entry.name_span),
                given: Shown::new(entry.name),
                table: match table {
                    Table::Top => "",
                    Table::Disturb => " in [disturb]",
                },
                hint: hint(entry.name, table),
            });
        };
        let origin = Origin::File(self.place(&entry.value_span));
        if !field.kind.set(scenario, given(entry.value)) {
            return Err(ScenarioError::Value {
                origin,
                field: field.name,
                given: self.shown(entry),
                right: field.kind.to_string(),
            });
        }
        origins.insert(field.name, origin);
        Ok(())
    }
}

fn given<'a>(value: &'a DeValue<'a>) -> Given<'a> {
    match value {
        DeValue::Integer(whole) => {
            i128::from_str_radix(whole.as_str(), whole.radix()).map_or(Given::Other, Given::Whole)
        }
        DeValue::Float(real) => real.as_str().parse().map_or(Given::Other, Given::Real),
        DeValue::String(text) => Given::Text(text),
        DeValue::Boolean(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => {
            Given::Other
        }
    }
}

/// What may have been meant by a name that no field of `table` has.
fn hint(name: &str, table: Table) -> String {
    if let Some(field) = FIELDS.iter().find(|field| field.name == name) {
        return match field.table {
            Table::Top => "it stands above [disturb]".to_owned(),
            Table::Disturb => "it stands in [disturb]".to_owned(),
        };
    }
    let names = || {
        let fields = FIELDS.iter().filter(|field| field.table == table);
        let tables = (table == Table::Top).then_some(DISTURB);
        fields.map(|field| field.name).chain(tables)
    };
    // Comparing takes the product of the lengths: no name is as long as that.
    let short: String = name.chars().take(32).collect();
    let like = |known: &str| strsim::jaro_winkler(&short, known);
    match names().max_by(|a, b| like(a).total_cmp(&like(b))) {
        Some(near) if like(near) >= LIKE => format!("did you mean \"{near}\"?"),
        _ => format!("the fields are {}", names().collect::<Vec<_>>().join(", ")),
    }
}
