// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where a value came from, and the value in the words of who gave it.

use std::fmt;

/// Characters of a bad value that are repeated to whoever gave it.
const SHOWN: usize = 40;

/// A place in a file, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    path: String,
    line: usize,
    /// In characters.
    column: usize,
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    File(Place),
    Flag(&'static str),
    /// A device that somebody asked for.
    Device(String),
}

/// What was given, short enough to repeat and safe to print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown(String);

impl Place {
    /// The place of byte `offset` of `text`.
    pub(crate) fn new(path: &str, text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self {
            path: path.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or("").chars().count() + 1,
        }
    }
}

impl Shown {
    pub(crate) fn new(given: &str) -> Self {
        let mut shown: String = given.chars().take(SHOWN).collect();
        if shown.len() < given.len() {
            shown.push('…');
        }
        // Quotes are the file's own; only what would disturb a terminal is escaped.
        Self(shown.replace(char::is_control, "\u{fffd}"))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.path, self.line, self.column)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(place) => place.fmt(f),
            Self::Flag(name) => write!(f, "--{name}"),
            Self::Device(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
