// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Building the guest's module, apart from its sources.

use super::super::parts::Kernel;
use crate::command::{capture, line};
use crate::failure::Failure;
use crate::progress::Progress;
use crate::tree;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the sources lie, from the workspace's root.
const SOURCES: &str = "guest/linux/ims_store";

/// Builds the module for `kernel` and returns it.
///
/// # Errors
/// [`Failure::Missing`] if there is nothing to build with, [`Failure::Command`]
/// with all the compiler said.
pub(crate) fn build(kernel: &Kernel, progress: &Progress) -> Result<PathBuf, Failure> {
    if !crate::command::is_installed("make") {
        return Err(Failure::Missing {
            what: "make is not installed, which builds the guest's module".to_owned(),
            advice: "install make and the compiler the kernel was built with (on Debian 12: \
                     apt-get install make gcc-12)"
                .to_owned(),
        });
    }
    let place = tree::root().join("target/e2e/module").join(&kernel.release);
    copy(&tree::root().join(SOURCES), &place)?;
    let mut command = Command::new("make");
    command
        .arg("-C")
        .arg(&kernel.headers)
        .arg(format!("M={}", place.display()))
        // Type information of modules needs a program of its own to make.
        .arg("CONFIG_DEBUG_INFO_BTF_MODULES=")
        .arg("modules")
        .env("LC_ALL", "C")
        // What cargo and a make around us set is not for this one.
        .env_remove("MAKEFLAGS")
        .env_remove("MFLAGS")
        .env_remove("MAKELEVEL");
    let captured = capture(&mut command, None, |line| progress.note(line))?;
    if captured.succeeded() {
        return Ok(place.join("ims_store.ko"));
    }
    if let Some(compiler) = absent_compiler(&captured.text) {
        return Err(Failure::Missing {
            what: format!(
                "{compiler} is not installed, which Linux {} was built with",
                kernel.release
            ),
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
    fs::create_dir_all(to).map_err(Failure::file(to))?;
    for source in tree::files(from)? {
        let Some(name) = source.file_name() else {
            continue;
        };
        let copy = to.join(name);
        let text = tree::read(&source)?;
        if fs::read_to_string(&copy).ok().as_ref() != Some(&text) {
            tree::write(&copy, &text)?;
        }
    }
    Ok(())
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
