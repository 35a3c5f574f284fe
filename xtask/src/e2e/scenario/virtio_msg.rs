// SPDX-License-Identifier: Apache-2.0 OR MIT
//! virtio-mmio whose queues have interrupts of their own, by a module of ours: MSI by
//! registers, VIS by memory, both also behind a unit that remaps interrupts.

use super::super::machine::Unit;
use super::super::report::Report;
use super::Setting;
use super::virtio::{self, Device, Kind, Plan, SUM, Test};
use crate::failure::Failure;

pub(crate) const MSI: &str = "virtio-msi";
pub(crate) const VIS: &str = "virtio-vis";
pub(crate) const REMAPPED: &str = "virtio-remapped";

/// A disk of four queues.
const fn disk(transport: &'static str) -> Device<'static> {
    Device {
        transport,
        options: &["--queues", "4"],
        kind: Kind::Block,
    }
}

/// The verb that loads the module.
const DRIVER: Test<'_> = ("driver", "driver", &[("devices", "2")]);

/// Each queue's interrupt on a CPU of its own.
const EACH: &[(&str, &str)] = &[("vectors", "4"), ("cpus", "4"), ("homes", "0,1,2,3")];

/// What is done with the second disk, whose device has no messages to offer.
const FALLBACK: [Test<'_>; 2] = [
    (
        "about:device=vdb:as=fallback",
        "fallback",
        &[("mode", "line"), ("queues", "4"), ("irqs", "1")],
    ),
    (
        "files:device=vdb:as=fallback-files",
        "fallback-files",
        &[("files", "4")],
    ),
];

/// With MSI, and one that falls back.
const MSI_TESTS: [Test<'_>; 9] = [
    DRIVER,
    (
        "about:as=queues",
        "queues",
        &[("mode", "msi"), ("queues", "4"), ("irqs", "5")],
    ),
    ("files", "files", &[("files", "4")]),
    ("spread", "spread", EACH),
    ("move", "move", &[("moves", "12"), ("moved", "12")]),
    ("hold", "hold", &[("holds", "5")]),
    SUM,
    FALLBACK[0],
    FALLBACK[1],
];

/// With VIS, and one with fewer vectors than queues.
const VIS_TESTS: [Test<'_>; 14] = [
    DRIVER,
    (
        "about:as=queues",
        "queues",
        // The area's address, in two halves, and one command.
        &[
            ("mode", "vis"),
            ("queues", "4"),
            ("irqs", "5"),
            ("writes", "3"),
        ],
    ),
    ("files", "files", &[("files", "4")]),
    ("spread", "spread", EACH),
    ("move", "move", &[("moves", "12"), ("moved", "12")]),
    ("hold", "hold", &[("holds", "5")]),
    (
        "about:device=vdb:as=shared",
        "shared",
        &[("mode", "vis"), ("queues", "4"), ("irqs", "3")],
    ),
    (
        "files:device=vdb:as=shared-files",
        "shared-files",
        &[("files", "4")],
    ),
    (
        "spread:device=vdb:as=shared-spread",
        "shared-spread",
        &[("vectors", "2"), ("cpus", "2")],
    ),
    OUT,
    LINE,
    (
        "about:as=line",
        "line",
        &[("mode", "line"), ("queues", "4"), ("irqs", "1")],
    ),
    ("files:as=line-files", "line-files", &[("files", "4")]),
    SUM,
];

/// The module goes, and comes back to use nothing that devices offer.
const OUT: Test<'_> = ("driver_out", "driver_out", &[("devices", "0")]);
const LINE: Test<'_> = (
    "driver:parameters=mode=line:as=driver-line",
    "driver-line",
    &[("devices", "2")],
);

/// A unit that remaps: an interrupt moves, its message does not change.
const REMAPPED_TESTS: [Test<'_>; 7] = [
    DRIVER,
    ("files", "files", &[("files", "4")]),
    (
        "move",
        "move",
        &[("moves", "12"), ("mode", "vis"), ("moved", "0")],
    ),
    ("hold", "hold", &[("holds", "5")]),
    SUM,
    (
        "files:device=vdb:as=msi-files",
        "msi-files",
        &[("files", "4")],
    ),
    (
        "move:device=vdb:as=msi-move",
        "msi-move",
        &[("moves", "12"), ("mode", "msi"), ("moved", "0")],
    ),
];

/// MSI.
///
/// # Errors
/// If the guest or a server does not do what it must for checks to be made.
pub(crate) fn msi(setting: &Setting<'_>, report: &mut Report) -> Result<(), Failure> {
    let plan = Plan {
        name: MSI,
        devices: &[disk("msi"), disk("mmio")],
        unit: Unit::Absent,
        kernel: &[],
        tests: &MSI_TESTS,
    };
    virtio::run(setting, plan, report)
}

/// VIS.
///
/// # Errors
/// As [`msi`].
pub(crate) fn vis(setting: &Setting<'_>, report: &mut Report) -> Result<(), Failure> {
    let few = Device {
        options: &["--queues", "4", "--vectors", "3"],
        ..disk("vis")
    };
    let plan = Plan {
        name: VIS,
        devices: &[disk("vis"), few],
        unit: Unit::Absent,
        kernel: &[],
        tests: &VIS_TESTS,
    };
    virtio::run(setting, plan, report)
}

/// Both, behind a unit that remaps their messages. Memory is the guest's own: the
/// devices do not say that their accesses are translated.
///
/// # Errors
/// As [`msi`].
pub(crate) fn remapped(setting: &Setting<'_>, report: &mut Report) -> Result<(), Failure> {
    let plan = Plan {
        name: REMAPPED,
        devices: &[disk("vis"), disk("msi")],
        unit: Unit::Remapping,
        kernel: &["iommu=pt"],
        tests: &REMAPPED_TESTS,
    };
    virtio::run(setting, plan, report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_go_by_the_names_that_their_verbs_say() {
        for tests in [&MSI_TESTS[..], &VIS_TESTS, &REMAPPED_TESTS] {
            virtio::check_names(tests);
        }
    }
}
