// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The guest's file system: an archive that the kernel unpacks into memory.

use crate::failure::Failure;
use cpio::newc::{self, Builder, ModeFileType};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write};
use std::path::Path;

/// The first process, the same in every guest.
const INIT: &str = include_str!("init.sh");

/// The console's device number (Documentation/admin-guide/devices.txt).
const CONSOLE: (u32, u32) = (5, 1);

/// Directories that file systems are mounted on or programs are linked in.
const DIRECTORIES: [&str; 4] = ["bin", "dev", "proc", "sys"];

const PROGRAM: u32 = 0o755;
const DATA: u32 = 0o644;

/// A file system being put together.
#[derive(Debug)]
pub(crate) struct FileSystem {
    /// By name without a leading slash: mode and content.
    files: BTreeMap<String, (u32, Vec<u8>)>,
}

impl FileSystem {
    /// With the first process, its shell, and the script that says what it does.
    ///
    /// # Errors
    /// [`Failure::File`].
    pub(crate) fn new(busybox: &Path, script: &str) -> Result<Self, Failure> {
        let mut system = Self {
            files: BTreeMap::new(),
        };
        system.program("bin/busybox", busybox)?;
        system.put("init", PROGRAM, INIT);
        system.put("guest", DATA, script);
        Ok(system)
    }

    /// Adds a copy of `from` that can be executed.
    ///
    /// # Errors
    /// [`Failure::File`].
    pub(crate) fn program(&mut self, name: &str, from: &Path) -> Result<(), Failure> {
        let bytes = fs::read(from).map_err(Failure::file(from))?;
        self.put(name, PROGRAM, bytes);
        Ok(())
    }

    /// Adds a kernel module, as `modules/<its file's name>`.
    ///
    /// # Errors
    /// [`Failure::File`].
    pub(crate) fn module(&mut self, from: &Path) -> Result<(), Failure> {
        let name = from.file_name().unwrap_or_default().to_string_lossy();
        let bytes = fs::read(from).map_err(Failure::file(from))?;
        self.put(&format!("modules/{name}"), DATA, bytes);
        Ok(())
    }

    /// Adds a text.
    pub(crate) fn text(&mut self, name: &str, text: &str) {
        self.put(name, DATA, text);
    }

    /// Writes all of it to `place`.
    ///
    /// # Errors
    /// [`Failure::File`].
    pub(crate) fn write(&self, place: &Path) -> Result<(), Failure> {
        let archive = self.archive().map_err(Failure::file(place))?;
        fs::write(place, archive).map_err(Failure::file(place))
    }

    fn put(&mut self, name: &str, mode: u32, bytes: impl Into<Vec<u8>>) {
        self.files.insert(name.to_owned(), (mode, bytes.into()));
    }

    /// Every directory that is needed, one that lies in another after it.
    fn directories(&self) -> BTreeSet<&str> {
        let mut directories = BTreeSet::from(DIRECTORIES);
        for name in self.files.keys() {
            let parents = name.match_indices('/').filter_map(|(at, _)| name.get(..at));
            directories.extend(parents);
        }
        directories
    }

    fn archive(&self) -> io::Result<Vec<u8>> {
        let mut archive = Vec::new();
        for directory in self.directories() {
            add(&mut archive, directory, ModeFileType::Directory, 0o755, &[])?;
        }
        // The first process has this as its standard input and output.
        let (major, minor) = CONSOLE;
        let console = Builder::new("dev/console")
            .mode(0o600)
            .set_mode_file_type(ModeFileType::Char)
            .rdev_major(major)
            .rdev_minor(minor);
        console.write(&mut archive, 0).finish()?;
        for (name, (mode, bytes)) in &self.files {
            add(&mut archive, name, ModeFileType::Regular, *mode, bytes)?;
        }
        newc::trailer(&mut archive)?;
        Ok(archive)
    }
}

fn add(
    archive: &mut Vec<u8>,
    name: &str,
    kind: ModeFileType,
    mode: u32,
    bytes: &[u8],
) -> io::Result<()> {
    let length = u32::try_from(bytes.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
    let entry = Builder::new(name).mode(mode).set_mode_file_type(kind);
    let mut writer = entry.write(archive, length);
    writer.write_all(bytes)?;
    writer.finish()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn what_is_written_is_read_back_with_modes_and_the_console() {
        let mut system = FileSystem {
            files: BTreeMap::new(),
        };
        system.put("bin/busybox", PROGRAM, "box");
        system.put("init", PROGRAM, INIT);
        system.put("lib/a/b.so", PROGRAM, "library");
        system.text("modules/order", "x y");
        let bytes = system.archive().unwrap();
        let mut rest = &bytes[..];
        let mut seen = Vec::new();
        loop {
            let mut reader = newc::Reader::new(rest).unwrap();
            if reader.entry().is_trailer() {
                break;
            }
            let mut content = Vec::new();
            reader.read_to_end(&mut content).unwrap();
            let entry = reader.entry();
            let device = (entry.rdev_major(), entry.rdev_minor());
            seen.push((entry.name().to_owned(), entry.mode(), device, content));
            rest = reader.finish().unwrap();
        }
        let of = |name: &str| seen.iter().find(|entry| entry.0 == name).unwrap().clone();
        let at = |name: &str| seen.iter().position(|entry| entry.0 == name).unwrap();
        assert_eq!(of("proc").1, 0o040_755);
        assert_eq!(
            (of("dev/console").1, of("dev/console").2),
            (0o020_600, CONSOLE)
        );
        assert_eq!(
            (of("bin/busybox").1, of("bin/busybox").3),
            (0o100_755, b"box".to_vec())
        );
        assert_eq!(of("modules/order").1, 0o100_644);
        assert_eq!(of("init").3, INIT.as_bytes());
        // The kernel makes no directory by itself, nor twice.
        assert!(at("lib") < at("lib/a") && at("lib/a") < at("lib/a/b.so"));
        assert_eq!(seen.len(), DIRECTORIES.len() + 3 + 1 + 4);
    }

    #[test]
    fn the_first_process_is_a_script_of_the_guests_own_shell() {
        assert!(INIT.starts_with("#!/bin/busybox sh\n"));
    }
}
