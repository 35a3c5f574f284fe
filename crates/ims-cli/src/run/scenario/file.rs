// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reads a scenario's file, field by field, each with its place.

use std::collections::BTreeMap;
use std::path::Path;

use toml::de::DeValue;

use super::Scenario;
use super::field::{DISTURB, FIELDS, Field, Table};
use crate::given::{self, Document, Entry, Given, GivenError, Origin, Shown, in_order};

/// Where the fields that were given came from, by name.
pub(super) type Origins = BTreeMap<&'static str, Origin>;

/// Reads the file at `path` into `scenario`.
pub(super) fn read(
    path: &Path,
    scenario: &mut Scenario,
    origins: &mut Origins,
) -> Result<(), GivenError> {
    let text = given::read(path, "a scenario is a few lines of TOML")?;
    parse(&path.display().to_string(), &text, scenario, origins)
}

/// Reads `text` into `scenario`; the first error in the file is the one told.
pub(super) fn parse(
    path: &str,
    text: &str,
    scenario: &mut Scenario,
    origins: &mut Origins,
) -> Result<(), GivenError> {
    let document = Document { path, text };
    let table = document.parse()?;
    for entry in in_order(&table) {
        match (entry.value, entry.name) {
            (DeValue::Table(inner), DISTURB) => {
                for entry in in_order(inner) {
                    set(document, &entry, Table::Disturb, scenario, origins)?;
                }
            }
            (_, DISTURB) => {
                return Err(GivenError::Value {
                    origin: Origin::File(document.place(&entry.value_span)),
                    field: DISTURB,
                    given: document.shown(&entry),
                    right: "a table: [disturb], then its fields".to_owned(),
                });
            }
            _ => set(document, &entry, Table::Top, scenario, origins)?,
        }
    }
    Ok(())
}

fn set(
    document: Document<'_>,
    entry: &Entry<'_>,
    table: Table,
    scenario: &mut Scenario,
    origins: &mut Origins,
) -> Result<(), GivenError> {
    let named = |field: &&Field| field.name == entry.name && field.table == table;
    let Some(field) = FIELDS.iter().find(named) else {
        return Err(GivenError::UnknownField {
            place: document.place(&entry.name_span),
            given: Shown::new(entry.name),
            table: match table {
                Table::Top => "",
                Table::Disturb => " in [disturb]",
            },
            hint: hint(entry.name, table),
        });
    };
    let origin = Origin::File(document.place(&entry.value_span));
    if !field.kind.set(scenario, Given::file(entry.value)) {
        return Err(GivenError::Value {
            origin,
            field: field.name,
            given: document.shown(entry),
            right: field.kind.to_string(),
        });
    }
    origins.insert(field.name, origin);
    Ok(())
}

/// What may have been meant by a name that no field of `table` has.
fn hint(name: &str, table: Table) -> String {
    if let Some(field) = FIELDS.iter().find(|field| field.name == name) {
        return match field.table {
            Table::Top => "it stands above [disturb]".to_owned(),
            Table::Disturb => "it stands in [disturb]".to_owned(),
        };
    }
    let fields = FIELDS.iter().filter(|field| field.table == table);
    let tables = (table == Table::Top).then_some(DISTURB);
    let known: Vec<_> = fields.map(|field| field.name).chain(tables).collect();
    given::suggestion(name, &known)
}
