// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Packages without touching the machine's own: an apt with a root of its own,
//! which needs no rights and installs nothing.

mod debian;
mod machine;
mod sources;

pub(crate) use machine::Machine;

use crate::command::{answer, capture, line};
use crate::failure::Failure;
use crate::progress::Progress;
use sources::Source;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// An apt with its own sources, lists and cache, and with nothing installed, so
/// that a package's whole closure is fetched.
#[derive(Debug)]
pub(crate) struct Root {
    place: PathBuf,
}

impl Root {
    /// Makes a root in `place` that knows `sources`, and reads their lists.
    ///
    /// # Errors
    /// [`Failure::File`], or [`Failure::Command`] with what apt said.
    pub(crate) fn new(
        place: PathBuf,
        machine: &Machine,
        sources: &[Source],
        progress: &Progress,
    ) -> Result<Self, Failure> {
        let root = Self { place };
        for directory in [
            "etc",
            "state/lists/partial",
            "cache/archives/partial",
            "debs",
        ] {
            let path = root.place.join(directory);
            fs::create_dir_all(&path).map_err(Failure::file(&path))?;
        }
        let stanzas: Vec<_> = sources.iter().map(Source::to_string).collect();
        crate::tree::write(&root.place.join("etc/debian.sources"), &stanzas.join("\n"))?;
        crate::tree::write(&root.place.join("state/status"), "")?;
        let settings = settings(&root.place, machine.acquire());
        crate::tree::write(&root.place.join("apt.conf"), &settings)?;
        let mut update = root.command("apt-get");
        update.args(["update", "-q", "-o", "APT::Update::Error-Mode=any"]);
        run(&mut update, progress)?;
        Ok(root)
    }

    /// The names of all packages that begin with `prefix`.
    ///
    /// # Errors
    /// [`Failure::Command`].
    pub(crate) fn names(&self, prefix: &str) -> Result<Vec<String>, Failure> {
        let text = answer(self.command("apt-cache").args(["pkgnames", prefix]))?;
        Ok(text.lines().map(|name| name.trim().to_owned()).collect())
    }

    /// The version of `package` that would be fetched.
    ///
    /// # Errors
    /// [`Failure::Missing`] if there is none.
    pub(crate) fn version(&self, package: &str, suite: Option<&str>) -> Result<String, Failure> {
        let mut command = self.command("apt-cache");
        command.args(["policy", package]);
        if let Some(suite) = suite {
            command.args(["-t", suite]);
        }
        candidate(&answer(&mut command)?).ok_or_else(|| Failure::Missing {
            what: format!("the Debian mirror has no package {package}"),
            advice: "is the mirror complete? name your own with --qemu, --kernel, --headers, \
                     --busybox and --accel-config"
                .to_owned(),
        })
    }

    /// Fetches `package`, from `suite` if it is in several, and all it depends on.
    ///
    /// # Errors
    /// [`Failure::Command`] with what apt said.
    pub(crate) fn fetch_closure(
        &self,
        package: &str,
        suite: Option<&str>,
        progress: &Progress,
    ) -> Result<(), Failure> {
        let mut command = self.command("apt-get");
        command.args(["-q", "-y", "-d", "install", package]);
        if let Some(suite) = suite {
            command.args(["-t", suite]);
        }
        run(&mut command, progress)
    }

    /// Fetches these packages and nothing else.
    ///
    /// # Errors
    /// [`Failure::Command`] with what apt said.
    pub(crate) fn fetch(&self, packages: &[String], progress: &Progress) -> Result<(), Failure> {
        let mut command = self.command("apt-get");
        command
            .args(["-q", "download"])
            .args(packages)
            .current_dir(self.place.join("debs"));
        run(&mut command, progress)
    }

    /// Unpacks all that was fetched into `tree`, which is made.
    ///
    /// # Errors
    /// [`Failure::File`], [`Failure::Command`].
    pub(crate) fn unpack(&self, tree: &Path, progress: &Progress) -> Result<(), Failure> {
        fs::create_dir_all(tree).map_err(Failure::file(tree))?;
        let mut archives = Vec::new();
        for place in ["cache/archives", "debs"] {
            archives.extend(crate::tree::files(&self.place.join(place))?);
        }
        archives.retain(|path| path.extension().is_some_and(|extension| extension == "deb"));
        for archive in &archives {
            progress.note(&archive.to_string_lossy());
            let mut command = Command::new("dpkg-deb");
            command.arg("--extract").arg(archive).arg(tree);
            run(&mut command, progress)?;
        }
        if archives.is_empty() {
            return Err(Failure::Nothing("apt-get fetched no package".to_owned()));
        }
        Ok(())
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("APT_CONFIG", self.place.join("apt.conf"))
            .env("DEBIAN_FRONTEND", "noninteractive")
            .env("LC_ALL", "C");
        command
    }
}

/// How this apt differs from the machine's.
fn settings(place: &Path, acquire: &str) -> String {
    let place = place.display();
    format!(
        "{acquire}\
         Acquire::Languages \"none\";\n\
         Acquire::Retries \"3\";\n\
         APT::Architecture \"amd64\";\n\
         APT::Install-Recommends \"false\";\n\
         # The place may lie in a home that apt's own user cannot enter.\n\
         APT::Sandbox::User \"root\";\n\
         Dir::State \"{place}/state\";\n\
         Dir::State::status \"{place}/state/status\";\n\
         Dir::Cache \"{place}/cache\";\n\
         Dir::Etc::main \"/dev/null\";\n\
         Dir::Etc::parts \"/dev/null\";\n\
         Dir::Etc::preferences \"/dev/null\";\n\
         Dir::Etc::preferencesparts \"/dev/null\";\n\
         Dir::Etc::sourcelist \"/dev/null\";\n\
         Dir::Etc::sourceparts \"{place}/etc\";\n"
    )
}

/// What `apt-cache policy` names as the version to take.
fn candidate(policy: &str) -> Option<String> {
    let version = policy
        .lines()
        .find_map(|line| line.trim().strip_prefix("Candidate:"))?
        .trim();
    (version != "(none)").then(|| version.to_owned())
}

/// Runs a command and shows its last line; says what to do if space ran out.
fn run(command: &mut Command, progress: &Progress) -> Result<(), Failure> {
    let captured = capture(command, None, |line| progress.note(line))?;
    if captured.succeeded() {
        return Ok(());
    }
    let full = ["No space left", "enough free space"];
    if full.iter().any(|words| captured.text.contains(words)) {
        return Err(Failure::Missing {
            what: format!("no space for packages:\n{}", captured.text.trim_end()),
            advice: "make room for 1 GB, or set IMS_CACHE to a directory that has it".to_owned(),
        });
    }
    Err(Failure::Command {
        command: line(command),
        output: captured.text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_candidate_is_read_and_none_is_none() {
        let policy = "qemu:\n  Installed: (none)\n  Candidate: 1:11.1.3+ds-1\n  Version table:\n";
        assert_eq!(candidate(policy).as_deref(), Some("1:11.1.3+ds-1"));
        assert_eq!(
            candidate("x:\n  Installed: (none)\n  Candidate: (none)\n"),
            None
        );
        assert_eq!(candidate(""), None);
    }

    #[test]
    fn everything_apt_writes_lies_in_its_own_root() {
        let text = settings(Path::new("/place"), "Acquire::x \"1\";\n");
        assert!(text.starts_with("Acquire::x \"1\";\n"));
        for setting in ["Dir::State ", "Dir::State::status ", "Dir::Cache "] {
            let line = text.lines().find(|line| line.starts_with(setting)).unwrap();
            assert!(line.contains("\"/place/"), "{line}");
        }
    }

    #[test]
    fn a_full_disk_is_told_from_other_failures() {
        let shell = |script: &str| {
            let mut command = Command::new("/bin/sh");
            command.args(["-c", script]);
            run(&mut command, &Progress::new(1))
                .unwrap_err()
                .to_string()
        };
        assert!(shell("echo No space left on device; exit 1").contains("IMS_CACHE"));
        let other = shell("echo no route; exit 1");
        assert!(other.contains("no route") && !other.contains("IMS_CACHE"));
    }
}
