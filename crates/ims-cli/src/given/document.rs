// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A file's text, and the entries in it, each with its place.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::error::GivenError;
use super::origin::{Place, Shown};

/// A file's text, for telling places in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Document<'a> {
    pub(crate) path: &'a str,
    pub(crate) text: &'a str,
}

/// A name and a value, with their places.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) name: &'a str,
    pub(crate) name_span: Range<usize>,
    pub(crate) value: &'a DeValue<'a>,
    pub(crate) value_span: Range<usize>,
}

/// A table's entries as they stand in the file.
pub(crate) fn in_order<'a>(table: &'a DeTable<'a>) -> Vec<Entry<'a>> {
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

impl<'a> Document<'a> {
    /// The file as tables and values.
    pub(crate) fn parse(&self) -> Result<DeTable<'a>, GivenError> {
        DeTable::parse(self.text)
            .map(toml::Spanned::into_inner)
            .map_err(|error| GivenError::Syntax {
                place: self.place(&error.span().unwrap_or_default()),
                what: error.message().lines().collect::<Vec<_>>().join(", "),
            })
    }

    pub(crate) fn place(&self, span: &Range<usize>) -> Place {
        Place::new(self.path, self.text, span.start)
    }

    /// A value in the file's own words; a table's span is its header, which says nothing.
    pub(crate) fn shown(&self, entry: &Entry<'_>) -> Shown {
        match entry.value {
            DeValue::Table(_) => Shown::new("a table"),
            _ => Shown::new(self.text.get(entry.value_span.clone()).unwrap_or("?")),
        }
    }
}
