// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Building the guest's modules and programs, apart from their sources.

use super::super::parts::Kernel;
use crate::command::{capture, line};
use crate::failure::Failure;
use crate::progress::Progress;
use crate::tree;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the sources lie, from the workspace's root.
const SOURCES: &str = "guest/linux";

/// Builds the module `name` of ours for `kernel` and returns it.
///
/// # Errors
/// [`Failure::Missing`] if there is nothing to build with, [`Failure::Command`]
/// with all the compiler said.
pub(crate) fn build(kernel: &Kernel, name: &str, progress: &Progress) -> Result<PathBuf, Failure> {
    let place = build_directory(kernel, name, progress)?;
    Ok(module(&place, name))
}

/// Builds the modules of our directory `name`, and returns them in the order they
/// are given in.
///
/// # Errors
/// As [`build`].
pub(crate) fn build_together(
    kernel: &Kernel,
    name: &str,
    modules: &[&str],
    progress: &Progress,
) -> Result<Vec<PathBuf>, Failure> {
    let place = build_directory(kernel, name, progress)?;
    let modules = modules.iter();
    Ok(modules.map(|name| module(&place, name)).collect())
}

fn build_directory(kernel: &Kernel, name: &str, progress: &Progress) -> Result<PathBuf, Failure> {
    let place = place(kernel, name);
    copy(&tree::root().join(SOURCES).join(name), &place)?;
    make_module(kernel, &place, progress)?;
    Ok(place)
}

fn module(place: &Path, name: &str) -> PathBuf {
    place.join(format!("{name}.ko"))
}

/// Builds a module of one file of the kernel's own, as it is.
///
/// # Errors
/// As [`build`].
pub(crate) fn build_stock(
    kernel: &Kernel,
    source: &Path,
    progress: &Progress,
) -> Result<PathBuf, Failure> {
    let name = source.file_stem().unwrap_or_default().to_string_lossy();
    let place = place(kernel, &name);
    let makefile = format!("obj-m := {name}.o\n");
    write_changed(&place.join(format!("{name}.c")), &tree::read(source)?)?;
    write_changed(&place.join("Makefile"), &makefile)?;
    make_module(kernel, &place, progress)?;
    Ok(place.join(format!("{name}.ko")))
}

/// Builds the program `program` of our directory `name`.
///
/// # Errors
/// As [`build`].
pub(crate) fn build_program(
    kernel: &Kernel,
    name: &str,
    program: &str,
    progress: &Progress,
) -> Result<PathBuf, Failure> {
    let place = place(kernel, name);
    copy(&tree::root().join(SOURCES).join(name), &place)?;
    let mut command = Command::new("make");
    command.arg("-C").arg(&place).arg(program);
    make(command, &kernel.release, progress)?;
    Ok(place.join(program))
}

fn place(kernel: &Kernel, name: &str) -> PathBuf {
    let release = &kernel.release;
    tree::root()
        .join("target/e2e/module")
        .join(release)
        .join(name)
}

fn make_module(kernel: &Kernel, place: &Path, progress: &Progress) -> Result<(), Failure> {
    let mut command = Command::new("make");
    command
        .arg("-C")
        .arg(&kernel.headers)
        .arg(format!("M={}", place.display()))
        // Type information of modules needs a program of its own to make.
        .arg("CONFIG_DEBUG_INFO_BTF_MODULES=")
        .args(&kernel.make)
        .arg("modules");
    make(command, &kernel.release, progress)
}

fn make(mut command: Command, release: &str, progress: &Progress) -> Result<(), Failure> {
    if !crate::command::is_installed("make") {
        return Err(Failure::Missing {
            what: "make is not installed, which builds the guest's modules".to_owned(),
            advice: "install make and the compiler the kernel was built with (on Debian 12: \
                     apt-get install make gcc-12)"
                .to_owned(),
        });
    }
    command
        .env("LC_ALL", "C")
        // What cargo and a make around us set is not for this one.
        .env_remove("MAKEFLAGS")
        .env_remove("MFLAGS")
        .env_remove("MAKELEVEL");
    let captured = capture(&mut command, None, |line| progress.note(line))?;
    if captured.succeeded() {
        return Ok(());
    }
    if let Some(compiler) = absent_compiler(&captured.text) {
        return Err(Failure::Missing {
            what: format!("{compiler} is not installed, which Linux {release} was built with"),
            advice: "install it (on Debian the package has its name without the \
                     architecture, like gcc-12)"
                .to_owned(),
        });
    }
    Err(Failure::Command {
        command: line(&command),
        output: captured.text,
    })
}

/// Copies what changed, so that make builds what it must.
fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    for source in tree::files(from)? {
        if let Some(name) = source.file_name() {
            write_changed(&to.join(name), &tree::read(&source)?)?;
        }
    }
    Ok(())
}

fn write_changed(place: &Path, text: &str) -> Result<(), Failure> {
    if fs::read_to_string(place).ok().as_deref() == Some(text) {
        return Ok(());
    }
    tree::write(place, text)
}

/// The compiler a shell did not find: `/bin/sh: 1: gcc-12: not found` and the like.
fn absent_compiler(text: &str) -> Option<&str> {
    text.lines().find_map(|line| {
        let line = line.trim_end();
        let line = line
            .strip_suffix(": not found")
            .or_else(|| line.strip_suffix(": command not found"))
            .or_else(|| line.strip_suffix(": No such file or directory"))?;
        let name = line.rsplit([' ', ':', '/']).next()?;
        (name.contains("gcc") || name.contains("clang")).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compiler_that_is_not_there_is_named() {
        for text in [
            "make: x\n/bin/sh: 1: x86_64-linux-gnu-gcc-12: not found\n",
            "bash: line 1: x86_64-linux-gnu-gcc-12: command not found\n",
            "make[3]: x86_64-linux-gnu-gcc-12: No such file or directory\n",
        ] {
            assert_eq!(absent_compiler(text), Some("x86_64-linux-gnu-gcc-12"));
        }
        assert_eq!(
            absent_compiler("a.c:1: error: b.h: No such file or directory"),
            None
        );
        assert_eq!(absent_compiler(""), None);
    }

    #[test]
    fn only_what_changed_is_copied() {
        let base = std::env::temp_dir().join(format!("ims-module-{}", std::process::id()));
        let (from, to) = (base.join("from"), base.join("to"));
        tree::write(&from.join("a.c"), "one").unwrap();
        copy(&from, &to).unwrap();
        let written = || fs::metadata(to.join("a.c")).unwrap().modified().unwrap();
        let first = written();
        std::thread::sleep(std::time::Duration::from_millis(20));
        copy(&from, &to).unwrap();
        assert_eq!(written(), first);
        tree::write(&from.join("a.c"), "two").unwrap();
        copy(&from, &to).unwrap();
        assert_eq!(fs::read_to_string(to.join("a.c")).unwrap(), "two");
        fs::remove_dir_all(base).unwrap();
    }
}
