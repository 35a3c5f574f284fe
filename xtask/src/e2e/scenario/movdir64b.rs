// SPDX-License-Identifier: Apache-2.0 OR MIT
//! No device, but all that drives one: the kernel's driver, which refuses this CPU
//! until it is helped, its tool, and both ways of helping.

use super::super::machine::{Config, Vm};
use super::super::report::Report;
use super::story::Story;
use super::{Boot, Setting};
use crate::failure::Failure;

pub(crate) const NAME: &str = "movdir64b";

/// With the newer kernel.
pub(crate) const NEWER: &str = "movdir64b-newer";

/// What the guest does, in order.
const ORDER: [&str; 15] = [
    "unaided",
    // QEMU's CPU lacks the instruction.
    "helper:mode=auto:as=traps",
    "process",
    "driver:as=driver-by-traps",
    "tools",
    "pinned",
    "driver_out",
    "helper_out",
    // Without its help no CPU has it, whatever was before.
    "unaided:as=unaided-again",
    "helper:mode=kprobe:as=probes",
    "driver:as=driver-by-probes",
    "pinned:as=pinned-by-probes",
    "driver_out:as=driver-out-by-probes",
    "ways",
    "helper_out:as=helper-out-by-probes",
];

/// How many instructions the module tests itself with.
const FORMS: &str = "5";

/// What must come of it; the module's own tests are among them.
const TESTS: [(&str, &[(&str, &str)]); 18] = [
    ("unaided", &[]),
    ("decode", &[("encodings", "22")]),
    ("move-ud", &[("forms", FORMS), ("sites", "0")]),
    (
        "traps",
        &[
            ("way", "ud"),
            ("ud_kernel", FORMS),
            ("ud_user", "0"),
            ("kprobe", "0"),
        ],
    ),
    ("process", &[("stores", "605"), ("faults", "7")]),
    ("driver-by-traps", &[("probed", "no"), ("bus", "1")]),
    ("tools", &[("devices", "0")]),
    ("pinned", &[("refcnt", "1")]),
    ("driver_out", &[]),
    ("helper_out", &[]),
    ("unaided-again", &[]),
    // No trap is taken: the same instructions arrive by the other way alone.
    ("move-kprobe", &[("forms", FORMS), ("sites", FORMS)]),
    (
        "probes",
        &[
            ("way", "kprobe"),
            ("ud_kernel", "0"),
            ("ud_user", "0"),
            ("kprobe", FORMS),
        ],
    ),
    ("driver-by-probes", &[("probed", "yes"), ("bus", "1")]),
    ("pinned-by-probes", &[("refcnt", "1")]),
    ("driver-out-by-probes", &[]),
    // They went with the driver.
    ("ways", &[("probes", "0")]),
    ("helper-out-by-probes", &[]),
];

/// Boots and tests.
///
/// # Errors
/// If the guest does not do what it must for checks to be made.
pub(crate) fn run(setting: &Setting<'_>, report: &mut Report) -> Result<(), Failure> {
    with(NAME, setting.dsa(), setting, report)
}

/// The same with the newer kernel, if there is one.
///
/// # Errors
/// As [`run`].
pub(crate) fn newer(setting: &Setting<'_>, report: &mut Report) -> Result<(), Failure> {
    let boot = setting.newer_dsa();
    boot.map_or(Ok(()), |boot| with(NEWER, boot, setting, report))
}

fn with(
    name: &'static str,
    boot: Boot<'_>,
    setting: &Setting<'_>,
    report: &mut Report,
) -> Result<(), Failure> {
    let mut vm = Vm::start(&Config {
        image: boot.image,
        ..setting.config(boot.initramfs, &ORDER)
    })?;
    let told = Story::listen(&mut vm, setting.progress);
    setting.keep(&format!("{name}.log"), vm.console());
    let mut story = told?;
    story.tests(name, &TESTS, report);
    story.end(name, report);
    vm.ended_well()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_done_is_checked() {
        for verb in ORDER {
            let said = verb.split(":as=").nth(1).unwrap_or(verb);
            assert!(TESTS.iter().any(|(name, _)| *name == said), "{said}");
        }
    }
}
