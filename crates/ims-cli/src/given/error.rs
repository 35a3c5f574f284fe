// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Why what was given was refused: where, which field, what was given, what would
//! be right.

use super::origin::{Origin, Place, Shown};

/// Why what was given was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum GivenError {
    /// The file does not open or read.
    #[error("{path}: cannot be read: {why}")]
    Read { path: String, why: String },
    /// The file is not what it should be by its size alone.
    #[error("{path}: larger than {limit} bytes; {what}")]
    TooLarge {
        path: String,
        limit: u64,
        /// What it should be.
        what: &'static str,
    },
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
}
