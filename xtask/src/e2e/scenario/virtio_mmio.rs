// SPDX-License-Identifier: Apache-2.0 OR MIT
//! virtio-mmio by the kernel's own driver: one interrupt for all queues, also where
//! the device offers more than that driver knows.

use super::super::machine::Unit;
use super::super::report::Report;
use super::Setting;
use super::virtio::{self, Device, Kind, Plan, SUM, Test};
use crate::failure::Failure;

pub(crate) const NAME: &str = "virtio-mmio";

const DEVICES: [Device<'_>; 2] = [
    Device {
        transport: "mmio",
        options: &["--queues", "4"],
        kind: Kind::Block,
    },
    Device {
        transport: "vis",
        options: &["--queues", "4"],
        kind: Kind::Block,
    },
];

const TESTS: [Test<'_>; 8] = [
    (
        "driver:module=ims_virtio_mmio",
        "driver",
        &[("devices", "2")],
    ),
    (
        "about:as=queues",
        "queues",
        &[("transport", "virtio-mmio"), ("queues", "4"), ("irqs", "1")],
    ),
    ("files", "files", &[("files", "4")]),
    ("spread", "spread", &[("vectors", "1"), ("cpus", "1")]),
    ("move", "move", &[("moves", "3")]),
    SUM,
    (
        "about:device=vdb:as=offered-vis",
        "offered-vis",
        &[("transport", "virtio-mmio"), ("queues", "4"), ("irqs", "1")],
    ),
    (
        "files:device=vdb:as=offered-vis-files",
        "offered-vis-files",
        &[("files", "4")],
    ),
];

/// Boots and tests.
///
/// # Errors
/// If the guest or a server does not do what it must for checks to be made.
pub(crate) fn run(setting: &Setting<'_>, report: &mut Report) -> Result<(), Failure> {
    let plan = Plan {
        name: NAME,
        devices: &DEVICES,
        unit: Unit::Absent,
        kernel: &[],
        tests: &TESTS,
    };
    virtio::run(setting, plan, report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_go_by_the_names_that_their_verbs_say() {
        virtio::check_names(&TESTS);
    }
}
