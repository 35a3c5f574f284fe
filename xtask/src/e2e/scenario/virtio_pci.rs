// SPDX-License-Identifier: Apache-2.0 OR MIT
//! virtio over PCI, by the kernel's own drivers alone: a queue and a vector for each
//! CPU, which the kernel deals out for good; a vector that all queues share, and one
//! of an entropy source, which can be moved.

use super::super::machine::Unit;
use super::super::report::Report;
use super::Setting;
use super::virtio::{self, Device, Kind, Plan, SUM, Test};
use crate::failure::Failure;

pub(crate) const NAME: &str = "virtio-pci";

const DEVICES: [Device<'_>; 3] = [
    Device {
        transport: "pci",
        options: &["--queues", "4"],
        kind: Kind::Block,
    },
    Device {
        transport: "pci",
        options: &["--queues", "4", "--vectors", "2"],
        kind: Kind::Block,
    },
    Device {
        transport: "pci",
        options: &[],
        kind: Kind::Entropy,
    },
];

const TESTS: [Test<'_>; 10] = [
    (
        "about:as=queues",
        "queues",
        &[("transport", "virtio-pci"), ("queues", "4"), ("irqs", "5")],
    ),
    ("files", "files", &[("files", "4")]),
    (
        "spread",
        "spread",
        &[("vectors", "4"), ("cpus", "4"), ("homes", "0,1,2,3")],
    ),
    ("fixed", "fixed", &[("refused", "4"), ("cpus", "4")]),
    SUM,
    (
        "about:device=vdb:as=shared",
        "shared",
        &[("transport", "virtio-pci"), ("queues", "4"), ("irqs", "2")],
    ),
    ("files:device=vdb:as=shared-files", "shared-files", &[]),
    (
        "spread:device=vdb:as=shared-spread",
        "shared-spread",
        &[("vectors", "1"), ("cpus", "1")],
    ),
    (
        "move:device=vdb:as=shared-move",
        "shared-move",
        &[("moves", "3")],
    ),
    (
        "move:device=hwrng:as=entropy-move",
        "entropy-move",
        &[("moves", "3")],
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
