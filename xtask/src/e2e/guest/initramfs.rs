// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The guest's file system: an archive that the kernel unpacks into memory.

use crate::failure::Failure;
use cpio::newc::{self, Builder, ModeFileType};
use std::fs;
use std::io::{self, Write};
use std::path::Path;

const INIT: &[u8] = include_bytes!("init.sh");

/// The console's device number (Documentation/admin-guide/devices.txt).
const CONSOLE: (u32, u32) = (5, 1);

/// Directories that file systems are mounted on or programs lie in.
const DIRECTORIES: [&str; 4] = ["bin", "dev", "proc", "sys"];

/// Writes the file system to `place`.
///
/// # Errors
/// [`Failure::File`].
pub(crate) fn write(place: &Path, busybox: &Path, module: &Path) -> Result<(), Failure> {
    let busybox = fs::read(busybox).map_err(Failure::file(busybox))?;
    let module = fs::read(module).map_err(Failure::file(module))?;
    let archive = archive(&busybox, &module).map_err(Failure::file(place))?;
    fs::write(place, archive).map_err(Failure::file(place))
}

fn archive(busybox: &[u8], module: &[u8]) -> io::Result<Vec<u8>> {
    let mut archive = Vec::new();
    for directory in DIRECTORIES {
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
    add(
        &mut archive,
        "bin/busybox",
        ModeFileType::Regular,
        0o755,
        busybox,
    )?;
    add(&mut archive, "init", ModeFileType::Regular, 0o755, INIT)?;
    add(
        &mut archive,
        "ims_store.ko",
        ModeFileType::Regular,
        0o644,
        module,
    )?;
    newc::trailer(&mut archive)?;
    Ok(archive)
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
        let bytes = archive(b"box", b"module!").unwrap();
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
        assert_eq!(of("proc").1, 0o040_755);
        assert_eq!(
            (of("dev/console").1, of("dev/console").2),
            (0o020_600, CONSOLE)
        );
        assert_eq!(
            (of("bin/busybox").1, of("bin/busybox").3),
            (0o100_755, b"box".to_vec())
        );
        assert_eq!(of("ims_store.ko").3, b"module!");
        assert_eq!(of("init").3, INIT);
        assert_eq!(seen.len(), DIRECTORIES.len() + 4);
    }

    #[test]
    fn the_first_process_is_a_script_of_the_guests_own_shell() {
        assert!(INIT.starts_with(b"#!/bin/busybox sh\n"));
    }
}
