// SPDX-License-Identifier: Apache-2.0 OR MIT
//! QEMU with the vfio-user client.

use super::super::apt::Root;
use super::Fetch;
use crate::command::answer;
use crate::failure::Failure;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) const SET: &str = "qemu";

const PACKAGE: &str = "qemu-system-x86";

/// The first release of Debian that has a QEMU with vfio-user, in its backports.
const SUITES: [&str; 2] = ["trixie", "trixie-backports"];

const PROGRAM: &str = "qemu-system-x86_64";

/// The device that is a vfio-user client; it came with QEMU 10.1.
const CLIENT: &str = "vfio-user-pci";

/// A QEMU that can be run.
#[derive(Debug)]
pub(crate) struct Emulator {
    program: PathBuf,
    /// The tree of packages it is part of, if it was fetched.
    tree: Option<PathBuf>,
    /// Its version, as it says it.
    pub(crate) version: String,
}

impl Emulator {
    /// The user's own.
    pub(crate) fn own(program: &Path) -> Result<Self, Failure> {
        Self::checked(program.to_owned(), None)
    }

    /// From the cache or the mirror.
    pub(crate) fn fetched(fetch: &Fetch<'_>) -> Result<Self, Failure> {
        let tree = fetch.set(SET, |machine, place| {
            let sources = machine.suites(&SUITES);
            let root = Root::new(place.clone(), machine, &sources, fetch.progress)?;
            let [_, suite] = SUITES;
            let version = root.version(PACKAGE, Some(suite))?;
            if fetch.cache.version(SET, &version).is_some() {
                return Ok((version, None));
            }
            root.fetch_closure(PACKAGE, Some(suite), fetch.progress)?;
            let tree = place.join("tree");
            root.unpack(&tree, fetch.progress)?;
            Ok((version, Some(tree)))
        })?;
        Self::checked(tree.join("usr/bin").join(PROGRAM), Some(tree))
    }

    /// Whether it runs, and is a vfio-user client.
    fn checked(program: PathBuf, tree: Option<PathBuf>) -> Result<Self, Failure> {
        let mut emulator = Self {
            program,
            tree,
            version: String::new(),
        };
        let text = answer(emulator.command().arg("--version"))?;
        emulator.version = version(&text)
            .ok_or_else(|| Failure::Form {
                what: format!("`{} --version`", emulator.program.display()),
                why: format!("names no version of QEMU: {text}"),
            })?
            .to_owned();
        let devices = answer(emulator.command().args(["-device", "help"]))?;
        if devices.contains(CLIENT) {
            return Ok(emulator);
        }
        Err(Failure::Missing {
            what: format!(
                "{} (QEMU {}) has no device {CLIENT}",
                emulator.program.display(),
                emulator.version
            ),
            advice: "it came with QEMU 10.1; name a newer one with --qemu, or none".to_owned(),
        })
    }

    /// A command that runs it. What was fetched runs with its own loader and
    /// libraries, whatever this machine has.
    pub(crate) fn command(&self) -> Command {
        let Some(tree) = &self.tree else {
            return Command::new(&self.program);
        };
        let libraries = tree.join("usr/lib/x86_64-linux-gnu");
        let share = tree.join("usr/share");
        let mut command = Command::new(tree.join("usr/lib64/ld-linux-x86-64.so.2"));
        command
            .arg("--library-path")
            .arg(&libraries)
            .args(["--argv0", PROGRAM])
            .arg(&self.program)
            .arg("-L")
            .arg(share.join("qemu"))
            .arg("-L")
            .arg(share.join("seabios"))
            .env("QEMU_MODULE_DIR", libraries.join("qemu"));
        command
    }
}

/// Reads `QEMU emulator version 11.1.3 (Debian …)`.
fn version(text: &str) -> Option<&str> {
    let rest = text.split("version ").nth(1)?;
    rest.split([' ', '\n', '(']).next().filter(|version| {
        version
            .chars()
            .next()
            .is_some_and(|first| first.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_what_follows_its_word() {
        let text = "QEMU emulator version 11.1.3 (Debian 1:11.1.3)\nCopyright\n";
        assert_eq!(version(text), Some("11.1.3"));
        assert_eq!(version("QEMU emulator version 10.1.0\n"), Some("10.1.0"));
        assert_eq!(version("version x"), None);
        assert_eq!(version(""), None);
    }

    #[test]
    fn a_program_that_is_no_qemu_is_refused() {
        assert!(Emulator::own(Path::new("/bin/true")).is_err());
        assert!(Emulator::own(Path::new("/no/such")).is_err());
    }
}
