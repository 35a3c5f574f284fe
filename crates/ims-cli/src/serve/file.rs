// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Reads a file of devices.

use std::path::{Path, PathBuf};

use ims_dsa::adi::AdiConfig;
use ims_dsa::front::Parameters;
use toml::de::{DeArray, DeTable, DeValue};

use super::error::ServeError;
use super::field::{Field, named};
use super::fields::{FUNCTION, INTERFACE, PARENT};
use super::plan::{Plan, Planned, Shape};
use crate::control::{Name, NameError};
use crate::given::{self, Document, Entry, Given, GivenError, Origin, Place, Shown, in_order};

const DIR: &str = "dir";
const CONTROL: &str = "control";
const PARENT_TABLE: &str = "parent";
const INTERFACE_TABLE: &str = "interface";
const FUNCTION_TABLE: &str = "function";
const TOP: [&str; 5] = [DIR, CONTROL, PARENT_TABLE, INTERFACE_TABLE, FUNCTION_TABLE];

const NAME: &str = "name";
const SOCKET: &str = "socket";
const COUNT: &str = "count";
/// The most devices that `count` makes of one.
const MOST: u32 = 16_128;

/// Reads the file at `path` into `plan`.
pub(super) fn read(path: &Path, plan: &mut Plan) -> Result<(), ServeError> {
    let text = given::read(path, "a file of devices is some lines of TOML")?;
    parse(&path.display().to_string(), &text, plan)
}

/// Reads `text` into `plan`; the first error in the file is the one told.
pub(super) fn parse(path: &str, text: &str, plan: &mut Plan) -> Result<(), ServeError> {
    let document = Document { path, text };
    let table = document.parse()?;
    for entry in in_order(&table) {
        match (entry.name, entry.value) {
            (DIR, _) => plan.directory = path_of(document, &entry, DIR)?,
            (CONTROL, _) => plan.control = path_of(document, &entry, CONTROL)?,
            (PARENT_TABLE, DeValue::Table(table)) => {
                for entry in in_order(table) {
                    let at = " in [parent]";
                    set(document, &entry, PARENT, &mut plan.parent, &[], at)?;
                }
            }
            (INTERFACE_TABLE, DeValue::Array(tables)) => {
                for (place, table) in tables_of(document, &entry, tables, INTERFACE_TABLE)? {
                    interfaces(document, place, table, plan)?;
                }
            }
            (FUNCTION_TABLE, DeValue::Array(tables)) => {
                for (place, table) in tables_of(document, &entry, tables, FUNCTION_TABLE)? {
                    function(document, place, table, plan)?;
                }
            }
            (PARENT_TABLE, _) => {
                let right = "a table: [parent], then its fields";
                return Err(wrong(document, &entry, PARENT_TABLE, right.to_owned()).into());
            }
            (INTERFACE_TABLE, _) => {
                let right = "[[interface]], once for each, then its fields";
                return Err(wrong(document, &entry, INTERFACE_TABLE, right.to_owned()).into());
            }
            (FUNCTION_TABLE, _) => {
                let right = "[[function]], once for each, then its fields";
                return Err(wrong(document, &entry, FUNCTION_TABLE, right.to_owned()).into());
            }
            _ => return Err(unknown(document, &entry, "", &TOP).into()),
        }
    }
    Ok(())
}

/// The tables of an array of them, each with its place.
fn tables_of<'a>(
    document: Document<'_>,
    entry: &Entry<'_>,
    array: &'a DeArray<'a>,
    field: &'static str,
) -> Result<Vec<(Place, &'a DeTable<'a>)>, GivenError> {
    let tables = array.iter().map(|value| match value.get_ref() {
        DeValue::Table(table) => Ok((document.place(&value.span()), table)),
        _ => {
            let right = format!("tables: [[{field}]], once for each");
            Err(wrong(document, entry, field, right))
        }
    });
    tables.collect()
}

/// Reads an `[[interface]]`, which may stand for several.
fn interfaces(
    document: Document<'_>,
    place: Place,
    table: &DeTable<'_>,
    plan: &mut Plan,
) -> Result<(), ServeError> {
    let mut config = AdiConfig::default();
    let mut device = Device::default();
    let mut count = None;
    for entry in in_order(table) {
        if entry.name == COUNT {
            let value = match Given::file(entry.value) {
                Given::Whole(value) => u32::try_from(value).ok(),
                _ => None,
            };
            let value = value.filter(|value| (1..=MOST).contains(value));
            let right = || format!("a whole number from 1 to {MOST}");
            count = Some(value.ok_or_else(|| wrong(document, &entry, COUNT, right()))?);
        } else if !device.take(document, &entry)? {
            let own = &[NAME, SOCKET, COUNT];
            let at = " in [[interface]]";
            set(document, &entry, INTERFACE, &mut config, own, at)?;
        }
    }
    let (name, socket) = device.named(place.clone(), INTERFACE_TABLE)?;
    match (count, socket) {
        (Some(count), None) => plan.compose(name.as_str(), count, &config),
        (Some(_), Some(_)) => {
            let right = "left out where there is a count: each has its own in \"dir\"";
            Err(GivenError::Value {
                origin: Origin::File(place),
                field: SOCKET,
                given: Shown::new("given"),
                right: right.to_owned(),
            }
            .into())
        }
        (None, socket) => {
            let shape = Shape::Virtual(config);
            plan.devices.push(Planned {
                name,
                socket,
                shape,
            });
            Ok(())
        }
    }
}

/// Reads a `[[function]]`.
fn function(
    document: Document<'_>,
    place: Place,
    table: &DeTable<'_>,
    plan: &mut Plan,
) -> Result<(), ServeError> {
    let mut parameters = Parameters::default();
    let mut device = Device::default();
    for entry in in_order(table) {
        if !device.take(document, &entry)? {
            let own = &[NAME, SOCKET];
            let at = " in [[function]]";
            set(document, &entry, FUNCTION, &mut parameters, own, at)?;
        }
    }
    let (name, socket) = device.named(place, FUNCTION_TABLE)?;
    plan.devices.push(Planned {
        name,
        socket,
        shape: Shape::Physical(Box::new(parameters)),
    });
    Ok(())
}

/// What every device has.
#[derive(Default)]
struct Device {
    name: Option<Name>,
    socket: Option<PathBuf>,
}

impl Device {
    /// Takes an entry that every device has; says whether it is one.
    fn take(&mut self, document: Document<'_>, entry: &Entry<'_>) -> Result<bool, GivenError> {
        match entry.name {
            NAME => {
                let name = match Given::file(entry.value) {
                    Given::Text(name) => name.parse(),
                    _ => Err(NameError),
                };
                let right = |error: NameError| wrong(document, entry, NAME, error.to_string());
                self.name = Some(name.map_err(right)?);
            }
            SOCKET => self.socket = Some(path_of(document, entry, SOCKET)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn named(
        self,
        place: Place,
        table: &'static str,
    ) -> Result<(Name, Option<PathBuf>), GivenError> {
        match self.name {
            Some(name) => Ok((name, self.socket)),
            None => Err(GivenError::Value {
                origin: Origin::File(place),
                field: NAME,
                given: Shown::new("missing"),
                right: format!("there in every [[{table}]]"),
            }),
        }
    }
}

fn path_of(
    document: Document<'_>,
    entry: &Entry<'_>,
    field: &'static str,
) -> Result<PathBuf, GivenError> {
    match Given::file(entry.value) {
        Given::Text(path) if !path.is_empty() => Ok(PathBuf::from(path)),
        _ => Err(wrong(document, entry, field, "a path".to_owned())),
    }
}

fn set<T>(
    document: Document<'_>,
    entry: &Entry<'_>,
    fields: &'static [Field<T>],
    config: &mut T,
    own: &[&'static str],
    at: &'static str,
) -> Result<(), GivenError> {
    let Some(field) = named(fields, entry.name) else {
        let names: Vec<_> = fields.iter().map(|field| field.name).collect();
        return Err(unknown(document, entry, at, &[own, &names].concat()));
    };
    if field.set(config, Given::file(entry.value)) {
        return Ok(());
    }
    Err(wrong(document, entry, field.name, field.kind.to_string()))
}

fn wrong(
    document: Document<'_>,
    entry: &Entry<'_>,
    field: &'static str,
    right: String,
) -> GivenError {
    GivenError::Value {
        origin: Origin::File(document.place(&entry.value_span)),
        field,
        given: document.shown(entry),
        right,
    }
}

fn unknown(
    document: Document<'_>,
    entry: &Entry<'_>,
    table: &'static str,
    known: &[&'static str],
) -> GivenError {
    GivenError::UnknownField {
        place: document.place(&entry.name_span),
        given: Shown::new(entry.name),
        table,
        hint: given::suggestion(entry.name, known),
    }
}
