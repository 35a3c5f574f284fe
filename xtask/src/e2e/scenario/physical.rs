// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A physical function under the kernel's own driver, tools and test.

use super::super::report::Report;
use super::dsa::Guest;
use super::{Setting, dsa};
use crate::failure::Failure;

pub(crate) const NAME: &str = "physical";

/// What the guest does, in order.
const ORDER: [&str; 21] = [
    "helper",
    "driver",
    "bind",
    "configure:wqs=4:groups=2",
    // One at a time in each queue: no two interrupts of a vector come together.
    "dmatest:as=dmatest-one:channels=0:iterations=200",
    "counts",
    "look",
    "dmatest:channels=0:threads=4:iterations=200:bytes=65536",
    "disable",
    "configure:as=configure-after-disable",
    "dmatest:as=dmatest-after-disable:channels=0:iterations=50",
    "rebind",
    "configure:as=configure-again:wqs=8:groups=4:size=8",
    "dmatest:as=dmatest-after-rebind:channels=0:iterations=50",
    "reload",
    "configure:as=configure-reloaded",
    "dmatest:as=dmatest-after-reload:iterations=50",
    "reset",
    "configure:as=configure-reset",
    "dmatest:as=dmatest-after-reset:iterations=50",
    "ways",
];

/// What must come of it.
const TESTS: [(&str, &[(&str, &str)]); 19] = [
    ("helper", &[("way", "ud")]),
    ("driver", &[]),
    (
        "bind",
        &[
            ("version", "0x200"),
            ("max_groups", "4"),
            ("max_engines", "4"),
            ("max_work_queues", "8"),
            ("configurable", "1"),
            ("state", "disabled"),
        ],
    ),
    (
        "configure",
        &[("device", "enabled"), ("enabled", "4"), ("engines", "2")],
    ),
    (
        "dmatest",
        &[("failures", "0"), ("threads", "16"), ("iterations", "3200")],
    ),
    ("dmatest-one", &[("threads", "4"), ("iterations", "800")]),
    ("counts", &[]),
    ("disable", &[("device", "disabled")]),
    ("configure-after-disable", &[("enabled", "1")]),
    ("dmatest-after-disable", &[("iterations", "50")]),
    ("rebind", &[("state", "disabled")]),
    ("configure-again", &[("enabled", "8")]),
    ("dmatest-after-rebind", &[("iterations", "400")]),
    ("reload", &[("state", "disabled")]),
    ("configure-reloaded", &[("enabled", "1")]),
    ("dmatest-after-reload", &[("iterations", "50")]),
    ("reset", &[("state", "disabled")]),
    ("configure-reset", &[("enabled", "1")]),
    ("dmatest-after-reset", &[("iterations", "50")]),
];

/// Boots and tests.
///
/// # Errors
/// If the guest or the server does not do what it must for checks to be made.
pub(crate) fn run(setting: &Setting<'_>, report: &mut Report) -> Result<(), Failure> {
    let mut served = dsa::serve(setting, &["--physical"])?;
    let (mut story, looks) = dsa::boot(setting, &mut served, NAME, Guest::stock(setting, &ORDER))?;
    dsa::agree(NAME, story.found("counts"), looks.get("look"), report);
    story.tests(NAME, &TESTS, report);
    story.faults(NAME, &[], report);
    story.end(NAME, report);
    Ok(())
}
