// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Orderings that may be weakened without a model failing, each with the reason:
//! `xtask/weaken-allow.toml`.

use super::mutant::Mutant;
use crate::failure::Failure;
use crate::tree;
use std::path::Path;

/// The list's place in the workspace.
const PLACE: &str = "xtask/weaken-allow.toml";

/// One exception.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    /// The file, from the workspace's root.
    file: String,
    /// Part of the line; none stands for the whole file.
    line: Option<String>,
    /// What is tried there; none stands for everything.
    to: Option<String>,
    reason: String,
}

/// All exceptions.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Allowed(Vec<Entry>);

impl Allowed {
    /// Reads the list.
    ///
    /// # Errors
    /// If it cannot be read, or an entry has no file or no reason.
    pub(crate) fn load(root: &Path) -> Result<Self, Failure> {
        Self::parse(&tree::read(&root.join(PLACE))?)
    }

    fn parse(text: &str) -> Result<Self, Failure> {
        let wrong = |why: String| Failure::Form {
            what: PLACE.to_owned(),
            why,
        };
        let table: toml::Table = text.parse().map_err(|error| wrong(format!("{error}")))?;
        if let Some(key) = table.keys().find(|key| *key != "allow") {
            return Err(wrong(format!("unknown key {key:?}; entries are [[allow]]")));
        }
        let entries = match table.get("allow") {
            None => return Ok(Self::default()),
            Some(toml::Value::Array(entries)) => entries,
            Some(_) => return Err(wrong("entries are [[allow]]".to_owned())),
        };
        entries
            .iter()
            .map(entry)
            .collect::<Result<_, _>>()
            .map(Self)
            .map_err(wrong)
    }

    /// Why `mutant` may survive, if it may.
    pub(crate) fn reason<'a>(
        &'a self,
        file: &str,
        line: &str,
        mutant: &'a Mutant,
    ) -> Option<&'a str> {
        let found = self.0.iter().find(|entry| {
            entry.file == file
                && entry
                    .line
                    .as_ref()
                    .is_none_or(|part| line.contains(part.as_str()))
                && entry.to.as_ref().is_none_or(|to| mutant.to == *to)
        });
        found
            .map(|entry| entry.reason.as_str())
            .or(mutant.reason.as_deref())
    }
}

fn entry(value: &toml::Value) -> Result<Entry, String> {
    let table = value.as_table().ok_or("entries are [[allow]]")?;
    if let Some(key) = table
        .keys()
        .find(|key| !["file", "line", "to", "reason"].contains(&&***key))
    {
        return Err(format!("unknown key {key:?} in an entry"));
    }
    let text = |key: &str| match table.get(key) {
        None => Ok(None),
        Some(value) => match value
            .as_str()
            .map(str::trim)
            .filter(|text| !text.is_empty())
        {
            Some(text) => Ok(Some(text.to_owned())),
            None => Err(format!("{key} must be words")),
        },
    };
    Ok(Entry {
        file: text("file")?.ok_or("an entry has no file")?,
        line: text("line")?,
        to: text("to")?,
        reason: text("reason")?.ok_or("an entry has no reason")?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::mutant::find;
    use super::*;

    #[test]
    fn an_entry_covers_its_file_its_line_and_its_try() {
        let list = Allowed::parse(
            "[[allow]]\nfile = 'a.rs'\nline = 'self.x.swap'\nto = 'Ordering::Acquire'\n\
             reason = 'one writer'\n[[allow]]\nfile = 'b.rs'\nreason = 'hardware'\n",
        )
        .unwrap();
        let line = "self.x.swap(1, Ordering::AcqRel)";
        let mutants = find(line);
        assert_eq!(list.reason("a.rs", line, &mutants[0]), Some("one writer"));
        assert_eq!(list.reason("a.rs", line, &mutants[1]), None);
        assert_eq!(list.reason("a.rs", "other", &mutants[0]), None);
        assert_eq!(list.reason("b.rs", line, &mutants[1]), Some("hardware"));
        assert_eq!(list.reason("c.rs", line, &mutants[0]), None);
    }

    #[test]
    fn a_reason_in_the_source_counts_without_an_entry() {
        let line = "x(Ordering::Acquire) // weaken: not modelled";
        let found = Allowed::default()
            .reason("a.rs", line, &find(line)[0])
            .map(str::to_owned);
        assert_eq!(found.as_deref(), Some("not modelled"));
    }

    #[test]
    fn an_exception_without_file_or_reason_is_refused() {
        for text in [
            "[[allow]]\nfile = 'a.rs'",
            "[[allow]]\nfile = 'a.rs'\nreason = ' '",
            "[[allow]]\nreason = 'x'",
            "[[allow]]\nfile = 'a.rs'\nreason = 'x'\nwhy = 'y'",
            "[allow]\nfile = 'a.rs'\nreason = 'x'",
            "[[allowed]]\nfile = 'a.rs'\nreason = 'x'",
            "[[allow",
        ] {
            assert!(Allowed::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_list_in_this_workspace_is_well_formed() {
        Allowed::load(tree::root()).unwrap();
    }
}
