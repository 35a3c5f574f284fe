// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The loom models: how they are built and how far they look.

use crate::command;
use std::path::Path;
use std::process::Command;

/// The crates that have models.
pub(crate) const CRATES: [&str; 6] = [
    "ims",
    "ims-vfio",
    "ims-vfio-user",
    "ims-dsa",
    "ims-kvm",
    "ims-virtio",
];

/// What the names of all models hold.
pub(crate) const FILTER: &str = "loom_";

/// How many times a model may take a thread off its CPU. Three finds what more
/// found in every model so far, in seconds instead of hours.
const PREEMPTIONS: &str = "3";

/// A `cargo test` of the models in the workspace at `root`, in a target
/// directory of its own: another `--cfg` would rebuild everything each time.
pub(crate) fn command(root: &Path, target: &Path, full: bool) -> Command {
    let mut command = command::cargo(["test", "--release", "--lib"]);
    for name in CRATES {
        command.args(["--package", name]);
    }
    command.arg("--target-dir").arg(target).current_dir(root);
    let mut flags = std::env::var("RUSTFLAGS").unwrap_or_default();
    flags.push_str(" --cfg loom");
    command.env("RUSTFLAGS", flags.trim());
    // Models need speed, not the last bit of it; and they are built often.
    command
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "none");
    bound(&mut command, full);
    command
}

/// Sets how far the models that `command` runs may look.
pub(crate) fn bound(command: &mut Command, full: bool) {
    if full {
        command.env_remove("LOOM_MAX_PREEMPTIONS");
    } else {
        command.env("LOOM_MAX_PREEMPTIONS", PREEMPTIONS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;

    fn preemptions(full: bool) -> Option<String> {
        let command = command(Path::new("/w"), Path::new("/t"), full);
        let (_, value) = command
            .get_envs()
            .find(|(name, _)| *name == OsStr::new("LOOM_MAX_PREEMPTIONS"))?;
        value.map(|value| value.to_string_lossy().into_owned())
    }

    #[test]
    fn models_are_bounded_unless_asked_otherwise() {
        assert_eq!(preemptions(false).as_deref(), Some("3"));
        assert_eq!(preemptions(true), None);
    }
}
