// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Command lines.

use std::path::{Path, PathBuf};

use clap::Parser;

use super::super::ServeArgs;
use super::super::plan::{Plan, Shape};
use crate::control::Place;
use crate::scratch::Scratch;

/// Parses flags as the program does.
#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    serve: ServeArgs,
}

fn told(flags: &[&str]) -> Result<Plan, String> {
    let line = std::iter::once("serve").chain(flags.iter().copied());
    let serve = Line::try_parse_from(line)
        .map_err(|error| error.to_string())?
        .serve;
    serve.plan().map_err(|error| error.to_string())
}

fn refused(flags: &[&str]) -> String {
    told(flags).unwrap_err()
}

#[test]
fn nothing_told_is_one_virtual_device_at_the_users_place() {
    let plan = told(&[]).unwrap();
    assert_eq!(plan, told(&["--vectors", "2"]).unwrap(), "the default");
    let [planned] = plan.devices.as_slice() else {
        panic!("{:?}", plan.devices);
    };
    let socket = Place::of_user().directory().join("vdsa0.sock");
    assert_eq!(plan.socket(planned).unwrap(), socket);
    assert!(matches!(planned.shape, Shape::Virtual(_)));
}

#[test]
fn a_socket_names_its_device() {
    let plan = told(&[
        "--socket",
        "/tmp/x/net1.sock",
        "--physical",
        "--queues",
        "3",
    ])
    .unwrap();
    let planned = &plan.devices[0];
    assert_eq!(planned.name.as_str(), "net1");
    assert_eq!(
        planned.socket.as_deref(),
        Some(Path::new("/tmp/x/net1.sock"))
    );
    assert!(matches!(&planned.shape, Shape::Physical(it) if it.queues == 3));
    let plan = told(&["--socket", "/tmp/..."]).unwrap();
    assert_eq!(
        plan.devices[0].name.as_str(),
        "vdsa0",
        "what cannot be a name"
    );
}

#[test]
fn a_thousand_are_composed_in_a_directory() {
    let plan = told(&[
        "--compose",
        "1000",
        "--dir",
        "/d",
        "--vectors",
        "4",
        "--engines",
        "8",
    ]);
    let plan = plan.unwrap();
    assert_eq!(plan.devices.len(), 1000);
    assert_eq!(plan.parent.config.engines, 8);
    assert_eq!(plan.parent.config.ims_entries, 3072, "as many as needed");
    assert_eq!(plan.interface.vectors, 4, "for those created later, too");
    assert!(told(&["--compose", "0"]).unwrap().devices.is_empty());
}

#[test]
fn a_flag_that_is_for_something_else_is_refused() {
    assert_eq!(
        refused(&["--queues", "2"]),
        "--queues: only for a physical function; add --physical"
    );
    assert_eq!(
        refused(&["--physical", "--priority", "2"]),
        "--priority: not for a physical function; leave out --physical"
    );
    assert_eq!(
        refused(&["--vectors", "-3"]),
        "--vectors: vectors is -3; it must be a whole number from 1 to 2048"
    );
    assert_eq!(
        refused(&["--physical", "--interrupt-handles", "yes"]),
        "--interrupt-handles: interrupt-handles is yes; it must be true or false"
    );
    for together in [
        &["--compose", "2", "--physical"][..],
        &["--compose", "2", "--socket", "/s"],
        &["a.toml", "--compose", "2"],
        &["a.toml", "--dir", "/d"],
        &["--compose", "16129"],
    ] {
        assert!(told(together).is_err(), "{together:?}");
    }
}

#[test]
fn a_file_states_its_devices_alone_and_the_control_socket_can_be_overridden() {
    let scratch = Scratch::new("file");
    let file = scratch.join("a.toml");
    std::fs::write(&file, "control = \"/c\"\n[[interface]]\nname = \"a\"\n").unwrap();
    let file = file.to_str().unwrap();
    assert_eq!(told(&[file]).unwrap().control, PathBuf::from("/c"));
    assert_eq!(
        told(&[file, "--control", "/e"]).unwrap().control,
        PathBuf::from("/e")
    );
    let error = refused(&[file, "--vectors", "2"]);
    assert_eq!(
        error,
        "--vectors: a file states what its devices are: write it there"
    );
    let error = refused(&["/nowhere/a.toml"]);
    assert!(
        error.starts_with("/nowhere/a.toml: cannot be read: "),
        "{error}"
    );
}
