// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Files of devices.

use std::path::Path;

use proptest::prelude::*;

use super::super::field::Field;
use super::super::fields::{FUNCTION, INTERFACE, PARENT, ParentPlan};
use super::super::file;
use super::super::plan::{Plan, Shape};
use crate::control::Place;
use ims_dsa::adi::AdiConfig;
use ims_dsa::front::Parameters;

/// Reads `text` as a file named `a.toml`.
fn read(text: &str) -> Result<Plan, String> {
    let mut plan = Plan::new(&Place::of_user());
    file::parse("a.toml", text, &mut plan)
        .and_then(|()| plan.complete())
        .map_err(|error| error.to_string())?;
    Ok(plan)
}

fn refused(text: &str) -> String {
    read(text).unwrap_err()
}

#[test]
fn a_mixture_is_read_in_the_order_of_the_file() {
    let plan = read(
        "dir = \"/d\"\ncontrol = \"/c\"\n[parent]\nengines = 2\nims-entries = 512\ncpus = 3\n\
         [[interface]]\nname = \"a\"\nvectors = 3\nqueue-size = 16\npriority = 15\n\
         [[interface]]\nname = \"m\"\ncount = 2\n\
         [[function]]\nname = \"f\"\nsocket = \"/f\"\nqueues = 2\nwqcfg-size = 32\n\
         dsa-version = 1\ninterrupt-handles = false\nims-entries = 0\n",
    )
    .unwrap();
    assert_eq!(plan.control, Path::new("/c"));
    assert_eq!(plan.parent.config.engines, 2);
    assert_eq!(plan.parent.config.ims_entries, 512);
    assert_eq!(plan.parent.config.cpus(), 3);
    let served: Vec<_> = plan
        .devices
        .iter()
        .map(|planned| {
            let socket = plan.socket(planned).unwrap();
            format!("{} {}", planned.name, socket.display())
        })
        .collect();
    let expected = ["a /d/a.sock", "m0 /d/m0.sock", "m1 /d/m1.sock", "f /f"];
    assert_eq!(served, expected);
    match &plan.devices[0].shape {
        Shape::Virtual(config) => {
            assert_eq!(
                (config.vectors, config.queue_size, config.priority),
                (3, 16, 15)
            );
        }
        Shape::Physical(_) => panic!("a physical function"),
    }
    match &plan.devices[3].shape {
        Shape::Physical(parameters) => {
            assert_eq!((parameters.queues, parameters.version), (2, 0x100));
            assert_eq!(
                (parameters.wide_queue_config, parameters.ims_entries),
                (false, 0)
            );
            assert!(!parameters.interrupt_handles);
        }
        Shape::Virtual(_) => panic!("a virtual device"),
    }
}

/// What the fields of a table are not told of in `text`.
fn missing<T>(fields: &[Field<T>], text: &str) -> Vec<&'static str> {
    let told = |name: &str| {
        text.lines()
            .any(|line| line.starts_with(&format!("{name} = ")))
    };
    let names = fields.iter().map(|field| field.name);
    names.filter(|name| !told(name)).collect()
}

#[test]
fn the_shipped_example_states_every_field_as_it_is() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/serve.toml");
    let text = std::fs::read_to_string(path).unwrap();
    let plan = read(&text).unwrap();
    assert_eq!(plan.devices.len(), 10);
    assert_eq!(plan.parent.config.ims_entries, 2048);
    assert_eq!(
        plan.parent.config.cpus(),
        ParentPlan::default().config.cpus()
    );
    assert_eq!(plan.devices[0].shape, Shape::Virtual(AdiConfig::default()));
    let function = Shape::Physical(Box::default());
    assert_eq!(plan.devices.last().unwrap().shape, function);
    let table = |header: &str| {
        let after = text.split(header).nth(1).unwrap();
        after.split("\n[").next().unwrap().to_owned()
    };
    assert!(missing(PARENT, &table("[parent]")).is_empty());
    assert!(missing(INTERFACE, &table("[[interface]]")).is_empty());
    assert!(missing(FUNCTION, &table("[[function]]")).is_empty());
}

#[test]
fn a_name_nobody_has_is_told_with_its_line_and_what_was_meant() {
    assert_eq!(
        refused("[[interface]]\nname = \"a\"\n  vector = 2\n"),
        "a.toml:3:3: no field \"vector\" in [[interface]]; did you mean \"vectors\"?"
    );
    assert_eq!(
        refused("[[interfaces]]\nname = \"a\"\n"),
        "a.toml:1:3: no field \"interfaces\"; did you mean \"interface\"?"
    );
    assert_eq!(
        refused("[parent]\nzzz = 2\n"),
        "a.toml:2:1: no field \"zzz\" in [parent]; the fields are engines, ims-entries, cpus"
    );
    assert_eq!(
        refused("[[function]]\nname = \"a\"\nqueue = 1\n"),
        "a.toml:3:1: no field \"queue\" in [[function]]; did you mean \"queues\"?"
    );
}

#[test]
fn a_value_out_of_range_is_told_with_what_would_be_right() {
    for (text, expected) in [
        (
            "[parent]\nims-entries = 300\n",
            "a.toml:2:15: ims-entries is 300; it must be a multiple of 256 from 256 to 16128",
        ),
        (
            "[[interface]]\nname = \"a\"\nvectors = 0\n",
            "a.toml:3:11: vectors is 0; it must be a whole number from 1 to 2048",
        ),
        (
            "[[function]]\nname = \"a\"\nwqcfg-size = 48\n",
            "a.toml:3:14: wqcfg-size is 48; it must be 32 or 64",
        ),
        (
            "[[function]]\nname = \"a\"\ninterrupt-handles = 1\n",
            "a.toml:3:21: interrupt-handles is 1; it must be true or false",
        ),
        (
            "[[interface]]\nname = \"a\"\ncount = 0\n",
            "a.toml:3:9: count is 0; it must be a whole number from 1 to 16128",
        ),
        ("dir = 1\n", "a.toml:1:7: dir is 1; it must be a path"),
        (
            "parent = 1\n",
            "a.toml:1:10: parent is 1; it must be a table: [parent], then its fields",
        ),
        (
            "interface = [1]\n",
            "a.toml:1:13: interface is [1]; it must be tables: [[interface]], once for each",
        ),
    ] {
        assert_eq!(refused(text), expected);
    }
}

#[test]
fn a_device_has_a_name_and_one_socket() {
    let error = refused("[[interface]]\nvectors = 1\n");
    assert!(
        error.contains("name is missing; it must be there in every [[interface]]"),
        "{error}"
    );
    let error = refused("[[function]]\nname = \"a/b\"\n");
    assert!(
        error.starts_with("a.toml:2:8: name is \"a/b\"; it must be a name is"),
        "{error}"
    );
    let error = refused("[[interface]]\nname = \"a\"\nsocket = \"/s\"\ncount = 2\n");
    assert!(
        error.contains("socket is given; it must be left out where there is a count"),
        "{error}"
    );
    let error = refused("[[interface]]\nname = \"a1\"\n[[interface]]\nname = \"a\"\ncount = 2\n");
    assert!(
        error.contains("there is a device \"a1\" already"),
        "{error}"
    );
}

#[test]
fn what_is_not_toml_is_told_with_its_place() {
    let error = refused("[parent\n");
    assert!(error.starts_with("a.toml:1:"), "{error}");
    assert!(error.contains("not TOML"), "{error}");
}

#[test]
fn nothing_in_a_file_is_nothing_served() {
    let plan = read("").unwrap();
    assert!(plan.devices.is_empty());
    assert_eq!(plan.parent, ParentPlan::default());
}

proptest! {
    #[test]
    fn any_text_is_refused_or_read(text in "\\PC{0,200}") {
        let _ = read(&text);
    }

    #[test]
    fn any_value_of_any_field_is_refused_or_makes_what_the_device_takes(
        table in 0..3usize,
        field in 0..9usize,
        value in prop_oneof![
            any::<i64>().prop_map(|value| value.to_string()),
            (0..3000i64).prop_map(|value| value.to_string()),
            any::<bool>().prop_map(|value| value.to_string()),
            Just("[[1], {a = 2}]".to_owned()),
            Just("1e999".to_owned()),
        ],
    ) {
        let pick = |names: Vec<&'static str>| names[field % names.len()];
        let (header, name) = match table {
            0 => ("[parent]", pick(PARENT.iter().map(|field| field.name).collect())),
            1 => (
                "[[interface]]\nname = \"a\"",
                pick(INTERFACE.iter().map(|field| field.name).chain(["count"]).collect()),
            ),
            _ => (
                "[[function]]\nname = \"a\"",
                pick(FUNCTION.iter().map(|field| field.name).collect()),
            ),
        };
        if let Ok(plan) = read(&format!("{header}\n{name} = {value}\n")) {
            prop_assert!(plan.parent.config.check().is_ok());
            for planned in &plan.devices {
                match &planned.shape {
                    Shape::Virtual(config) => prop_assert!(AdiConfig::check(config).is_ok()),
                    Shape::Physical(parameters) => {
                        prop_assert!(Parameters::check(parameters).is_ok());
                    }
                }
            }
        }
    }
}
