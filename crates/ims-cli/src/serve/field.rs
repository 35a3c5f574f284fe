// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One field of a device: its name, what is right for it, where it is kept.
//!
//! File, flags, control socket and help are read against [the same](super::fields),
//! so that they cannot differ.

use std::fmt;

use crate::given::Given;

/// One field of a `T`.
pub(crate) struct Field<T> {
    /// Its name in a file; with two dashes before it, its flag.
    pub(crate) name: &'static str,
    /// What it is, for the help.
    pub(crate) about: &'static str,
    pub(crate) kind: Kind,
    pub(crate) get: fn(&T) -> u32,
    /// `None`: the `T` cannot hold it, which the kind should have told.
    pub(super) set: fn(&mut T, u32) -> Option<()>,
}

/// What values a field takes. Displayed, it says what would be right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Count {
        least: u32,
        most: u32,
        multiple: u32,
    },
    OneOf(&'static [u32]),
    Switch,
}

impl Kind {
    /// The value, if it is right.
    fn value(self, given: Given<'_>) -> Option<u32> {
        match (self, given) {
            (Self::Count { .. } | Self::OneOf(_), Given::Whole(value)) => {
                let value = u32::try_from(value).ok()?;
                let right = match self {
                    Self::OneOf(values) => values.contains(&value),
                    Self::Count {
                        least,
                        most,
                        multiple,
                    } => (least..=most).contains(&value) && value.is_multiple_of(multiple),
                    Self::Switch => false,
                };
                right.then_some(value)
            }
            (Self::Switch, Given::Switch(on)) => Some(on.into()),
            _ => None,
        }
    }

    /// A value as a file would state it.
    pub(crate) fn text(self, value: u32) -> String {
        match self {
            Self::Switch => (value != 0).to_string(),
            _ => value.to_string(),
        }
    }
}

impl<T> Field<T> {
    /// Keeps `given` in `config` if it is right; says whether it is.
    pub(crate) fn set(&self, config: &mut T, given: Given<'_>) -> bool {
        let value = self.kind.value(given);
        value.and_then(|value| (self.set)(config, value)).is_some()
    }

    /// Its value in `config`, as a file would state it.
    pub(crate) fn text(&self, config: &T) -> String {
        self.kind.text((self.get)(config))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count {
                least,
                most,
                multiple: 1,
            } => write!(f, "a whole number from {least} to {most}"),
            Self::Count {
                least,
                most,
                multiple,
            } => write!(f, "a multiple of {multiple} from {least} to {most}"),
            Self::OneOf(values) => {
                let values: Vec<_> = values.iter().map(u32::to_string).collect();
                f.write_str(&values.join(" or "))
            }
            Self::Switch => f.write_str("true or false"),
        }
    }
}

/// The field of a name.
pub(crate) fn named<T>(fields: &'static [Field<T>], name: &str) -> Option<&'static Field<T>> {
    fields.iter().find(|field| field.name == name)
}
