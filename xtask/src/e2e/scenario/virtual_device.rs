// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A virtual DSA under the kernel's own driver: its configuration is the host's,
//! its completion interrupts are entries of the host's store.

use super::super::device::Kind;
use super::super::machine::console::Values;
use super::super::report::Report;
use super::dsa::{Guest, Looks};
use super::{Setting, dsa};
use crate::failure::Failure;

pub(crate) const NAME: &str = "virtual";

/// What the guest does, in order. The driver's submissions are found by probes
/// here; the physical function's are trapped.
const ORDER: [&str; 15] = [
    "helper:mode=kprobe",
    "driver",
    "bind",
    "virtual",
    // One at a time: no two interrupts come together.
    "dmatest:as=dmatest-one:iterations=300",
    "counts",
    "look",
    "dmatest:threads=8:iterations=100:bytes=65536",
    "queues_off",
    "look:as=off-look",
    "rebind",
    "virtual:as=virtual-again",
    "dmatest:as=dmatest-again:channels=0:iterations=100",
    "look:as=again-look",
    "ways",
];

/// What must come of it.
const TESTS: [(&str, &[(&str, &str)]); 11] = [
    ("helper", &[("way", "kprobe")]),
    ("driver", &[("probed", "yes")]),
    (
        "bind",
        &[
            ("max_groups", "1"),
            ("max_work_queues", "1"),
            ("configurable", "0"),
            ("state", "enabled"),
        ],
    ),
    (
        "virtual",
        &[("configurable", "0"), ("enabled", "1"), ("handles", "1")],
    ),
    (
        "dmatest",
        &[("failures", "0"), ("threads", "8"), ("iterations", "800")],
    ),
    ("dmatest-one", &[("iterations", "300")]),
    ("queues_off", &[("device", "enabled"), ("enabled", "0")]),
    ("rebind", &[("state", "enabled")]),
    ("virtual-again", &[("enabled", "1"), ("handles", "2")]),
    ("dmatest-again", &[("iterations", "100")]),
    ("ways", &[("ud_kernel", "0")]),
];

/// Boots and tests.
///
/// # Errors
/// If the guest or the server does not do what it must for checks to be made.
pub(crate) fn run(setting: &Setting<'_>, report: &mut Report) -> Result<(), Failure> {
    let mut served = dsa::serve(setting, &[])?;
    let (mut story, looks) = dsa::boot(
        setting,
        &mut served,
        NAME,
        Guest::stock(setting, &ORDER).plain(),
    )?;
    dsa::agree(NAME, story.found("counts"), looks.get("look"), report);
    let held = handles(&looks);
    report.add(NAME, "handles are the store's and given back", held);
    story.tests(NAME, &TESTS, report);
    story.faults(NAME, &[], report);
    story.end(NAME, report);
    Ok(())
}

/// At work, the queue's vector is an entry of the store and its handle is the entry's
/// index; off, it has none.
fn handles(looks: &Looks) -> Result<Values, String> {
    let told = |name: &str| {
        let device = looks.get(name).ok_or("the server was not asked")?;
        let mut vectors = device.vectors.iter();
        let vector = vectors.find(|vector| vector.kind == Kind::Ims);
        vector.ok_or_else(|| format!("{name}: no vector of the store"))
    };
    for name in ["look", "again-look"] {
        let vector = told(name)?;
        if vector.handle.is_none() || vector.handle != vector.index {
            return Err(format!("{name}: {vector:?}"));
        }
    }
    match told("off-look") {
        Ok(vector) if vector.handle.is_some() => Err(format!("queue off: {vector:?}")),
        _ => Ok(Values::new()),
    }
}
