// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A value as it was given, before a field takes it.

use toml::de::DeValue;

/// A value as it was given, in a file or by a flag.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Given<'a> {
    Whole(i128),
    Real(f64),
    Switch(bool),
    Text(&'a str),
    /// What no field takes: a list, a date, a number beyond all bounds.
    Other,
}

impl<'a> Given<'a> {
    /// A flag's text.
    pub(crate) fn flag(text: &'a str) -> Self {
        let whole = text.parse().map(Given::Whole);
        let real = || text.parse().map(Given::Real);
        let switch = || text.parse().map(Given::Switch);
        whole
            .or_else(|_| real())
            .or_else(|_| switch())
            .unwrap_or(Given::Text(text))
    }

    /// A file's value.
    pub(crate) fn file(value: &'a DeValue<'a>) -> Self {
        match value {
            DeValue::Integer(whole) => i128::from_str_radix(whole.as_str(), whole.radix())
                .map_or(Given::Other, Given::Whole),
            DeValue::Float(real) => real.as_str().parse().map_or(Given::Other, Given::Real),
            DeValue::String(text) => Given::Text(text),
            DeValue::Boolean(switch) => Given::Switch(*switch),
            DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => Given::Other,
        }
    }
}
