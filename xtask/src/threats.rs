// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The tests that SECURITY.md names are there: a threat table that names a test
//! nobody can run proves nothing.

use crate::failure::Failure;
use crate::tree;
use std::path::Path;

const PAGE: &str = "SECURITY.md";

/// Checks that every test the threat table names is a function of the module named.
pub(crate) fn named_tests_exist() -> Result<(), Failure> {
    let page = tree::read(&tree::root().join(PAGE))?;
    let named = named_tests(&page);
    if named.is_empty() {
        return Err(Failure::Nothing(format!("{PAGE} names no tests")));
    }
    let mut sources = Vec::new();
    for path in tree::files(&tree::root().join("crates"))? {
        if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push((module(&tree::relative(&path)), tree::read(&path)?));
        }
    }
    let missing: Vec<&str> = named
        .into_iter()
        .filter(|test| {
            !sources
                .iter()
                .any(|(module, text)| holds(module, text, test))
        })
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure::Form {
        what: PAGE.to_owned(),
        why: format!("no such test: {}; name one there is", missing.join(", ")),
    })
}

/// What stands in the table's last column: paths between backticks.
fn named_tests(page: &str) -> Vec<&str> {
    let rows = page.lines().filter_map(|line| line.strip_suffix('|'));
    rows.filter_map(|row| row.rsplit('|').next())
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .filter(|name| name.contains("::"))
        .collect()
}

/// The module a file is: `crates/ims-dsa/src/check/tests.rs` is
/// `ims_dsa::check::tests`. The program's crate is called `ims`, as its tests are.
fn module(file: &str) -> Vec<String> {
    let mut parts = Path::new(file.trim_end_matches(".rs"))
        .iter()
        .map(|part| part.to_string_lossy().replace('-', "_"))
        .skip_while(|part| part == "crates");
    let package = parts.next().unwrap_or_default();
    let name = if package == "ims_cli" {
        "ims".to_owned()
    } else {
        package
    };
    let inner = parts.filter(|part| !["src", "mod", "lib", "main"].contains(&part.as_str()));
    std::iter::once(name).chain(inner).collect()
}

/// Whether `test` is a function of a file, or of a module within it.
fn holds(module: &[String], text: &str, test: &str) -> bool {
    let mut rest = test.split("::");
    if !module.iter().all(|part| rest.next() == Some(part)) {
        return false;
    }
    let Some((function, inline)) = rest
        .collect::<Vec<_>>()
        .split_last()
        .map(|(function, inline)| (format!("fn {function}("), inline.to_vec()))
    else {
        return false;
    };
    text.contains(&function)
        && inline
            .iter()
            .all(|name| text.contains(&format!("mod {name} {{")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_test_the_threat_table_names_exists() {
        named_tests_exist().unwrap();
    }

    #[test]
    fn only_the_last_column_names_tests() {
        let page = "see `a::b`\n| who | `c::d` | `e::f`, `g::h` and `plain` |\n";
        assert_eq!(named_tests(page), ["e::f", "g::h"]);
    }

    #[test]
    fn a_test_is_found_in_its_module_and_nowhere_else() {
        let file = module("crates/ims-dsa/src/check.rs");
        let text = "mod tests {\n    fn it_works() {}\n}\n";
        assert!(holds(&file, text, "ims_dsa::check::tests::it_works"));
        assert!(!holds(&file, text, "ims_dsa::check::tests::it_work"));
        assert!(!holds(&file, text, "ims_dsa::check::others::it_works"));
        assert!(!holds(&file, text, "ims_dsa::queue::tests::it_works"));
        assert!(!holds(&file, text, "ims_dsa::check"));
        let program = module("crates/ims-cli/src/run/mod.rs");
        assert_eq!(program, ["ims", "run"]);
    }
}
