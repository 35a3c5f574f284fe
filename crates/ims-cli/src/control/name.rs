// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a device is called.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The most characters of a name.
const LONGEST: usize = 48;

/// A device's name: part of its socket's path, and of every line about it.
///
/// Names are in order by what stands before a number at their end, then by that
/// number: `vdsa9` comes before `vdsa10`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Name(String);

/// Not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a name is 1 to {LONGEST} of the characters a-z, A-Z, 0-9, '.', '_' and '-', and begins \
     with a letter or a digit"
)]
pub(crate) struct NameError;

impl Name {
    /// `prefix`, then `number`.
    ///
    /// # Errors
    /// [`NameError`]: it is too long.
    pub(crate) fn numbered(prefix: &str, number: u32) -> Result<Self, NameError> {
        format!("{prefix}{number}").parse()
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        let parts = |name: &'_ str| {
            let stem = name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
            let (stem, number) = name.split_at_checked(stem).unwrap_or((name, ""));
            let number = number.trim_start_matches('0');
            (stem.to_owned(), number.len(), number.to_owned())
        };
        // The same number with more zeros is another name.
        let whole = || self.0.cmp(&other.0);
        parts(&self.0).cmp(&parts(&other.0)).then_with(whole)
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(name: &str) -> Result<Self, NameError> {
        let first = name.chars().next().ok_or(NameError)?;
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if name.len() <= LONGEST && first.is_ascii_alphanumeric() && name.chars().all(fits) {
            Ok(Self(name.to_owned()))
        } else {
            Err(NameError)
        }
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;

    fn try_from(name: String) -> Result<Self, NameError> {
        name.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_safe_in_a_path_and_on_a_terminal() {
        for good in ["a", "dsa0", "9.b_c-d", &"x".repeat(LONGEST)] {
            assert_eq!(good.parse::<Name>().unwrap().as_str(), good);
        }
        let long = "x".repeat(LONGEST + 1);
        for bad in ["", ".", "..", "-a", "_", "a/b", "a b", "é", "a\n", &long] {
            assert_eq!(bad.parse::<Name>(), Err(NameError), "{bad:?}");
        }
        assert!(Name::numbered(&"x".repeat(LONGEST), 1).is_err());
    }

    #[test]
    fn names_are_in_order_of_their_numbers() {
        let sorted = [
            "7", "12", "a", "a0", "a00", "a01", "a1", "a2", "a10", "a1b", "b1",
        ];
        let mut names: Vec<Name> = sorted.iter().rev().map(|it| it.parse().unwrap()).collect();
        names.sort();
        let names: Vec<_> = names.iter().map(Name::as_str).collect();
        assert_eq!(names, sorted);
    }
}
