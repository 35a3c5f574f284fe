// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Why a scenario was refused: where, which field, what was given, what would be
//! right.

use std::fmt;

/// Characters of a bad value that are repeated to whoever gave it.
const SHOWN: usize = 40;

/// Why a scenario was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ScenarioError {
    /// The file does not open or read.
    #[error("{path}: cannot be read: {why}")]
    Read { path: String, why: String },
    /// The file is no scenario by its size alone.
    #[error("{path}: larger than {limit} bytes; a scenario is a few lines of TOML")]
    TooLarge { path: String, limit: u64 },
    /// The file is no TOML.
    #[error("{place}: not TOML: {what}")]
    Syntax { place: Place, what: String },
    /// A name that no field has.
    #[error("{place}: no field \"{given}\"{table}; {hint}")]
    UnknownField {
        place: Place,
        given: Shown,
        /// ` in [disturb]`, or nothing.
        table: &'static str,
        hint: String,
    },
    /// A value that is not right for its field.
    #[error("{origin}: {field} is {given}; it must be {right}")]
    Value {
        origin: Origin,
        field: &'static str,
        given: Shown,
        right: String,
    },
    /// Each field is right, and together they ask for too much.
    #[error("{factors} is {interrupts} interrupts; {right}")]
    TooMany {
        factors: String,
        interrupts: u64,
        right: String,
    },
}

/// A place in a file, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(super) path: String,
    pub(super) line: usize,
    /// In characters.
    pub(super) column: usize,
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    File(Place),
    Flag(&'static str),
}

/// What was given, short enough to repeat and safe to print.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown(String);

impl Place {
    /// The place of byte `offset` of `text`.
    pub(super) fn new(path: &str, text: &str, offset: usize) -> Self {
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
    pub(super) fn new(given: &str) -> Self {
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
        }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
