// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What may have been meant by a name nobody has.

/// How like a name must be to be suggested: 1 is equal.
const LIKE: f64 = 0.7;

/// Says what may have been meant by `name`, or what the names are.
pub(crate) fn suggestion(name: &str, known: &[&'static str]) -> String {
    // Comparing takes the product of the lengths: no name is as long as that.
    let short: String = name.chars().take(32).collect();
    let like = |known: &str| strsim::jaro_winkler(&short, known);
    match known.iter().max_by(|a, b| like(a).total_cmp(&like(b))) {
        Some(near) if like(near) >= LIKE => format!("did you mean \"{near}\"?"),
        _ => format!("the fields are {}", known.join(", ")),
    }
}
