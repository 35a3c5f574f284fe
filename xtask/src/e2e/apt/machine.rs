// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What this machine's own apt is configured with. Only read, never changed.

use super::debian;
use super::sources::{self, Source};
use crate::command::answer;
use crate::failure::Failure;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What can be said to somebody without Debian's packages.
const ADVICE: &str = "run this on Debian 12 or later for amd64, or name your own with \
                      --qemu, --kernel, --headers, --busybox and --accel-config";

/// This machine's Debian mirror and how it is reached.
#[derive(Debug)]
pub(crate) struct Machine {
    codename: String,
    sources: Vec<Source>,
    /// Settings of how to fetch (proxies and the like), in apt's own form.
    acquire: String,
}

impl Machine {
    /// Reads this machine's configuration.
    ///
    /// # Errors
    /// [`Failure::Missing`] if apt is not there or names no mirror of Debian.
    pub(crate) fn here() -> Result<Self, Failure> {
        if std::env::consts::ARCH != "x86_64" {
            return Err(missing(format!(
                "packages for amd64 do not run on {}",
                std::env::consts::ARCH
            )));
        }
        for program in ["apt-get", "apt-cache", "apt-config", "dpkg-deb"] {
            if !crate::command::is_installed(program) {
                return Err(missing(format!("{program} is not installed")));
            }
        }
        let os_release = crate::tree::read(Path::new("/etc/os-release"))?;
        let codename = debian::codename(&os_release)
            .ok_or_else(|| missing("/etc/os-release names no release of Debian".to_owned()))?
            .to_owned();
        let (list, parts) = places()?;
        let sources = read(&list, &parts);
        if debian::mirror(&sources, &codename, &[]).is_none() {
            return Err(missing(format!(
                "no mirror of Debian {codename} is configured in {} or {}",
                list.display(),
                parts.display()
            )));
        }
        // Literal values in quotes, as apt reads them back.
        let mut acquire = Command::new("apt-config");
        acquire.args(["dump", "--no-empty", "--format", "%F \"%V\";%n", "Acquire"]);
        Ok(Self {
            codename,
            sources,
            acquire: answer(&mut acquire)?,
        })
    }

    /// The machine's own suites.
    pub(crate) fn own(&self) -> Vec<Source> {
        debian::archive(&self.sources, &self.codename)
    }

    /// Other suites of the same mirror.
    pub(crate) fn suites(&self, suites: &[&str]) -> Vec<Source> {
        debian::mirror(&self.sources, &self.codename, suites)
            .into_iter()
            .collect()
    }

    /// Settings of how to fetch, in apt's own form.
    pub(crate) fn acquire(&self) -> &str {
        &self.acquire
    }
}

fn missing(what: String) -> Failure {
    Failure::Missing {
        what,
        advice: ADVICE.to_owned(),
    }
}

/// The file and the directory that name sources.
fn places() -> Result<(PathBuf, PathBuf), Failure> {
    let mut command = Command::new("apt-config");
    command.args(["shell", "LIST", "Dir::Etc::sourcelist/f"]);
    command.args(["PARTS", "Dir::Etc::sourceparts/d"]);
    let text = answer(&mut command)?;
    let value = |name: &str, default: &str| {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        PathBuf::from(line.map_or(default, |value| value.trim_matches('\'')))
    };
    Ok((
        value("LIST", "/etc/apt/sources.list"),
        value("PARTS", "/etc/apt/sources.list.d"),
    ))
}

/// Reads all sources; a file that cannot be read names none.
fn read(list: &Path, parts: &Path) -> Vec<Source> {
    let mut files = vec![list.to_owned()];
    if let Ok(entries) = fs::read_dir(parts) {
        files.extend(entries.flatten().map(|entry| entry.path()));
    }
    files.sort();
    let mut sources = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap_or_default();
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("list") => sources.extend(sources::one_line(&text)),
            Some("sources") => sources.extend(sources::deb822(&text)),
            _ => {}
        }
    }
    sources
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read_and_other_files_are_not() {
        let parts = std::env::temp_dir().join(format!("ims-sources-{}", std::process::id()));
        fs::create_dir_all(&parts).unwrap();
        let list = parts.join("sources.list");
        fs::write(&list, "deb http://a/debian s main\n").unwrap();
        let parts = parts.join("d");
        fs::create_dir_all(&parts).unwrap();
        fs::write(
            parts.join("b.sources"),
            "Types: deb\nURIs: http://b\nSuites: s\n",
        )
        .unwrap();
        fs::write(parts.join("c.list"), "deb http://c s main\n").unwrap();
        fs::write(parts.join("d.list.disabled"), "deb http://d s main\n").unwrap();
        let sources = read(&list, &parts);
        let mut uris: Vec<_> = sources.iter().map(|source| &source.uris[0][..]).collect();
        uris.sort_unstable();
        assert_eq!(uris, ["http://a/debian", "http://b", "http://c"]);
        fs::remove_dir_all(list.parent().unwrap()).unwrap();
    }
}
