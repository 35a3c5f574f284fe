// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The example that the workspace's README shows.

const README: &str = include_str!("../../../README.md");
const EXAMPLE: &str = include_str!("../examples/one_interrupt.rs");

#[test]
fn the_readme_shows_the_example_as_it_is() {
    let shown = README
        .split_once("```rust\n")
        .and_then(|(_, rest)| rest.split_once("```"))
        .map(|(shown, _)| shown);
    let code = EXAMPLE.find("use std").map(|start| &EXAMPLE[start..]);
    assert!(shown.is_some_and(|shown| !shown.is_empty()));
    assert_eq!(
        shown, code,
        "paste examples/one_interrupt.rs into README.md"
    );
}
