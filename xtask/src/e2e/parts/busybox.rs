// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The guest's shell and its tools, one static program. Being static it runs here
//! too, and unpacks what this machine may have no program for.

use super::super::apt::Root;
use super::Fetch;
use crate::command::{answer, line};
use crate::failure::Failure;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub(crate) const SET: &str = "busybox";

const PACKAGE: &str = "busybox-static";

/// Where it lies, before and after directories were merged under `/usr`.
const PROGRAMS: [&str; 2] = ["bin/busybox", "usr/bin/busybox"];

/// A busybox.
#[derive(Debug)]
pub(crate) struct Busybox {
    program: PathBuf,
}

impl Busybox {
    /// The user's own.
    pub(crate) fn own(program: &Path) -> Self {
        let program = program.to_owned();
        Self { program }
    }

    /// From the cache or the machine's own suites.
    ///
    /// # Errors
    /// What is missing, and what to do about it.
    pub(crate) fn fetched(fetch: &Fetch<'_>) -> Result<Self, Failure> {
        let place = fetch.set(SET, |machine, place| {
            let root = Root::new(place.clone(), machine, &machine.own(), fetch.progress)?;
            let version = root.version(PACKAGE, None)?;
            if fetch.cache.version(SET, &version).is_some() {
                return Ok((version, None));
            }
            root.fetch(&[PACKAGE.to_owned()], fetch.progress)?;
            let tree = place.join("tree");
            root.unpack(&tree, fetch.progress)?;
            Ok((version, Some(tree)))
        })?;
        let program = PROGRAMS
            .iter()
            .map(|program| place.join(program))
            .find(|program| program.is_file())
            .ok_or_else(|| Failure::Missing {
                what: format!("{} holds no busybox", place.display()),
                advice: "remove that directory and run this again".to_owned(),
            })?;
        Ok(Self { program })
    }

    /// The program itself.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// Unpacks a file that `xz` packed.
    ///
    /// # Errors
    /// [`Failure::File`], [`Failure::Command`].
    pub(crate) fn unpack_xz(&self, packed: &Path, plain: &Path) -> Result<(), Failure> {
        let output = File::create(plain).map_err(Failure::file(plain))?;
        let mut command = Command::new(&self.program);
        command.arg("xzcat").arg(packed);
        let shown = line(&command);
        let status = command
            .stdin(Stdio::null())
            .stdout(output)
            .status()
            .map_err(|source| Failure::Start {
                command: shown.clone(),
                source,
            })?;
        if status.success() {
            return Ok(());
        }
        // Half a file must not be taken for the whole one.
        let _ = fs::remove_file(plain);
        Err(Failure::Command {
            command: shown,
            output: format!("it ended with {status}"),
        })
    }

    /// Takes the file `member` out of an archive that `tar` made and `xz` packed,
    /// to `place`, where it lies under its whole name.
    ///
    /// # Errors
    /// [`Failure::Command`].
    pub(crate) fn take_out(
        &self,
        archive: &Path,
        member: &str,
        place: &Path,
    ) -> Result<PathBuf, Failure> {
        let mut command = Command::new(&self.program);
        command.args(["tar", "-x", "-J", "-f"]).arg(archive);
        command.arg("-C").arg(place).arg(member);
        answer(&mut command)?;
        Ok(place.join(member))
    }
}
