// SPDX-License-Identifier: Apache-2.0 OR MIT
#![allow(clippy::unwrap_used, reason = "tests")]

mod properties;

use std::path::{Path, PathBuf};

use clap::{CommandFactory, Parser};

use super::error::ScenarioError;
use super::field::FIELDS;
use super::file::{self, Origins};
use super::*;

/// Parses flags as the program does.
#[derive(Parser)]
struct Line {
    #[command(flatten)]
    run: RunArgs,
}

fn told(flags: &[&str]) -> Result<Scenario, String> {
    let line = std::iter::once("run").chain(flags.iter().copied());
    let run = Line::try_parse_from(line).unwrap().run;
    run.scenario().map_err(|error| error.to_string())
}

/// Reads `text` as a file named `a.toml`.
fn read(text: &str) -> Result<Scenario, String> {
    let (mut scenario, mut origins) = (Scenario::default(), Origins::new());
    file::parse("a.toml", text, &mut scenario, &mut origins)
        .map_err(ScenarioError::from)
        .and_then(|()| capacity::check(&scenario, &origins))
        .map(|()| scenario)
        .map_err(|error| error.to_string())
}

/// A file of this test's own, removed when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str, bytes: &[u8]) -> Self {
        let name = format!("ims-scenario-{}-{name}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, bytes).unwrap();
        Self(path)
    }

    fn told(&self, flags: &[&str]) -> Result<Scenario, String> {
        let path = self.0.to_str().unwrap();
        let flags: Vec<_> = std::iter::once(path).chain(flags.iter().copied()).collect();
        told(&flags).map_err(|error| error.replace(path, "FILE"))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn shipped(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("scenarios")
        .join(name);
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn nothing_told_is_the_default() {
    assert_eq!(told(&[]).unwrap(), Scenario::default());
    assert_eq!(read("").unwrap(), Scenario::default());
    assert_eq!(Scenario::default().interrupts(), 4000);
}

#[test]
fn the_shipped_default_states_every_field_as_it_is() {
    let text = shipped("default.toml");
    assert_eq!(read(&text).unwrap(), Scenario::default());
    let mut origins = Origins::new();
    file::parse("a.toml", &text, &mut Scenario::default(), &mut origins).unwrap();
    let missing: Vec<_> = FIELDS
        .iter()
        .filter(|field| !origins.contains_key(field.name))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn the_shipped_wide_scenario_is_wide() {
    let wide = read(&shipped("wide.toml")).unwrap();
    assert_eq!((wide.adis, wide.queues, wide.vectors), (20_000, 1, 3));
    assert_eq!(wide.interrupts(), 60_000);
}

#[test]
fn flags_override_the_file_which_overrides_defaults() {
    let file = Scratch::new(
        "override",
        b"vms = 2\nseed = 7\nstore = \"context\"\n[disturb]\nmoves = 1\n",
    );
    let scenario = file
        .told(&["--vms", "3", "--moves", "0", "--seconds", "0.5"])
        .unwrap();
    let expected = Scenario {
        vms: 3,
        seed: 7,
        store: StoreKind::Context,
        seconds: 0.5,
        disturb: Disturb {
            moves: 0,
            ..Disturb::default()
        },
        ..Scenario::default()
    };
    assert_eq!(scenario, expected);
}

#[test]
fn bad_files_are_told_where_what_and_what_would_be_right() {
    let cases = [
        (
            "\nvcpus = 0",
            "a.toml:2:9: vcpus is 0; it must be a whole number from 1 to 4096",
        ),
        (
            "vms = 65",
            "a.toml:1:7: vms is 65; it must be a whole number from 1 to 64",
        ),
        (
            "# x\n\nadis = -1",
            "a.toml:3:8: adis is -1; it must be a whole number from 1 to 1048575",
        ),
        (
            "bytes = 100",
            "a.toml:1:9: bytes is 100; it must be a multiple of 8 from 64 to 2097152",
        ),
        (
            "seconds = nan",
            "a.toml:1:11: seconds is nan; it must be a number from 0.1 to 86400",
        ),
        (
            "seconds = 0",
            "a.toml:1:11: seconds is 0; it must be a number from 0.1 to 86400",
        ),
        (
            "seed = 18446744073709551616",
            "a.toml:1:8: seed is 18446744073709551616; it must be a whole number from 0 to \
             18446744073709551615",
        ),
        (
            "queues = \"2\"",
            "a.toml:1:10: queues is \"2\"; it must be a whole number from 1 to 64",
        ),
        (
            "depth = 1.0",
            "a.toml:1:9: depth is 1.0; it must be a whole number from 1 to 64",
        ),
        (
            "vms = [1,\n 2]",
            "a.toml:1:7: vms is [1,\u{fffd} 2]; it must be a whole number from 1 to 64",
        ),
        (
            "store = \"tabel\"",
            "a.toml:1:9: store is \"tabel\"; it must be one of \"table\", \"engine\", \
             \"replicated\", \"context\"",
        ),
        (
            "on = \"kvn\"",
            "a.toml:1:6: on is \"kvn\"; it must be one of \"soft\", \"kvm\"",
        ),
        (
            "vcpu = 3",
            "a.toml:1:1: no field \"vcpu\"; did you mean \"vcpus\"?",
        ),
        (
            "zzz = 3",
            "a.toml:1:1: no field \"zzz\"; the fields are vms, vcpus, on, adis, queues, \
             vectors, engines, store, seconds, seed, bytes, depth, disturb",
        ),
        (
            "moves = 3",
            "a.toml:1:1: no field \"moves\"; it stands in [disturb]",
        ),
        (
            "[disturb]\nvms = 3",
            "a.toml:2:1: no field \"vms\" in [disturb]; it stands above [disturb]",
        ),
        (
            "[disturb]\n\n  mask = 3",
            "a.toml:3:3: no field \"mask\" in [disturb]; did you mean \"masks\"?",
        ),
        (
            "[disturb]\nmoves = 100001",
            "a.toml:2:9: moves is 100001; it must be a whole number from 0 to 100000",
        ),
        (
            "disturb.hostile = -5",
            "a.toml:1:19: hostile is -5; it must be a whole number from 0 to 100000",
        ),
        (
            "disturb = 5",
            "a.toml:1:11: disturb is 5; it must be a table: [disturb], then its fields",
        ),
        (
            "[vms]\nx = 1",
            "a.toml:1:1: vms is a table; it must be a whole number from 1 to 64",
        ),
        ("vms = 1\nvms = 2", "a.toml:2:1: not TOML: duplicate key"),
        (
            "é = 1",
            "a.toml:1:1: not TOML: invalid unquoted key, expected letters, numbers, `-`, `_`",
        ),
        (
            "vms = 1\n\nseed 5",
            "a.toml:3:6: not TOML: key with no value, expected `=`",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(read(text).unwrap_err(), expected, "{text}");
    }
}

#[test]
fn the_first_error_in_the_file_is_told() {
    let error = read("vms = 0\nadis = 0").unwrap_err();
    assert!(error.starts_with("a.toml:1:7: vms"), "{error}");
    let error = read("seed = -1\nadis = 0\nbytes = 1").unwrap_err();
    assert!(error.starts_with("a.toml:1:8: seed"), "{error}");
}

#[test]
fn columns_are_counted_in_characters() {
    let error = read("disturb = { \"é\" = 1 }").unwrap_err();
    assert!(
        error.starts_with("a.toml:1:13: no field \"é\" in [disturb]"),
        "{error}"
    );
    let error = read("disturb = { moves = 1, \"ééé\" = 1, \"x\" = 2 }").unwrap_err();
    assert!(error.starts_with("a.toml:1:24: "), "{error}");
}

#[test]
fn too_many_interrupts_name_each_factor_and_its_place() {
    assert_eq!(
        read("adis = 1048575\n\nqueues = 4").unwrap_err(),
        "adis 1048575 (a.toml:1:8) × queues 4 (a.toml:3:10) × vectors 2 (default) is 8388600 \
         interrupts; at most 4000000 are run at once"
    );
    let file = Scratch::new("many", b"adis = 1000000\n");
    assert_eq!(
        file.told(&["--queues", "64", "--vectors", "64"])
            .unwrap_err(),
        "adis 1000000 (FILE:1:8) × queues 64 (--queues) × vectors 64 (--vectors) is 4096000000 \
         interrupts; at most 4000000 are run at once"
    );
}

#[test]
fn a_bad_flag_is_named() {
    let cases = [
        (
            ["--vms", "0"],
            "--vms: vms is 0; it must be a whole number from 1 to 64",
        ),
        (
            ["--seed", "-1"],
            "--seed: seed is -1; it must be a whole number from 0 to 18446744073709551615",
        ),
        (
            ["--adis", "many"],
            "--adis: adis is many; it must be a whole number from 1 to 1048575",
        ),
        (
            ["--seconds", "NaN"],
            "--seconds: seconds is NaN; it must be a number from 0.1 to 86400",
        ),
        (
            ["--seconds", "1e999"],
            "--seconds: seconds is 1e999; it must be a number from 0.1 to 86400",
        ),
        (
            ["--depth", ""],
            "--depth: depth is ; it must be a whole number from 1 to 64",
        ),
    ];
    for (flags, expected) in cases {
        assert_eq!(told(&flags).unwrap_err(), expected);
    }
}

#[test]
fn every_field_has_a_flag_that_says_its_range_and_default() {
    let command = Line::command();
    for field in FIELDS {
        let flag = command
            .get_arguments()
            .find(|arg| arg.get_long() == Some(field.name));
        let help = flag.unwrap().get_help().unwrap().to_string();
        assert!(help.contains(&field.kind.to_string()), "{help}");
    }
    command.debug_assert();
}

#[test]
fn files_that_are_none_are_refused() {
    let directory = told(&[std::env::temp_dir().to_str().unwrap()]).unwrap_err();
    assert!(
        directory.ends_with(": cannot be read: it is a directory"),
        "{directory}"
    );
    let missing = told(&["/no/such/file.toml"]).unwrap_err();
    assert!(
        missing.starts_with("/no/such/file.toml: cannot be read: No such file"),
        "{missing}"
    );

    let binary = Scratch::new("binary", b"vms = 1\n\x00\xff\xfe");
    assert_eq!(
        binary.told(&[]).unwrap_err(),
        "FILE:2:2: not TOML: it is not text in UTF-8"
    );
    let large = Scratch::new("large", &vec![b'#'; 10 << 20]);
    assert_eq!(
        large.told(&[]).unwrap_err(),
        "FILE: larger than 1048576 bytes; a scenario is a few lines of TOML"
    );
    let empty = Scratch::new("empty", b"");
    assert_eq!(empty.told(&[]).unwrap(), Scenario::default());
}

#[test]
fn deep_nesting_and_endless_numbers_are_refused() {
    for text in [
        format!("vms = {}1{}", "[".repeat(100_000), "]".repeat(100_000)),
        format!("{}x = 1", "a.".repeat(100_000)),
        format!("vms = {}", "9".repeat(500_000)),
        format!("{} = 1", "v".repeat(500_000)),
    ] {
        let error = read(&text).unwrap_err();
        assert!(error.len() < 400, "{}", error.len());
    }
}

#[test]
fn what_would_disturb_a_terminal_is_not_repeated() {
    let error = read("\"\\u001b[2J\" = 1").unwrap_err();
    assert!(!error.contains('\u{1b}'), "{error}");
}
