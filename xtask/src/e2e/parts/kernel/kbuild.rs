// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Building modules for a kernel that is newer than this machine's release: with
//! the kernel's programs, which want a newer C library, and with a compiler that
//! is older than its own.

use crate::failure::Failure;
use crate::tree;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Where a tree of packages has its libraries, and with them its loader.
pub(super) const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";

/// What a program is called once a script stands in its place.
const MOVED: &str = ".elf";

/// Makes every program below `kbuild` (`usr/lib/linux-kbuild-…`) run by the loader
/// and with the libraries that lie beside that directory, wherever the tree is
/// moved to. Some of them start others, by the name they were started with.
///
/// # Errors
/// [`Failure::File`].
pub(super) fn carry(kbuild: &Path) -> Result<(), Failure> {
    for program in tree::files(kbuild)? {
        if !is_elf(&program)? {
            continue;
        }
        let place = program.strip_prefix(kbuild).unwrap_or(&program);
        // One for each directory it lies in, `linux-kbuild-…` among them.
        let up = "../".repeat(place.components().count());
        let name = program.file_name().unwrap_or_default();
        let mut moved = name.to_owned();
        moved.push(MOVED);
        let moved = program.with_file_name(moved);
        fs::rename(&program, &moved).map_err(Failure::file(&program))?;
        tree::write(&program, &script(&up))?;
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(&program, mode).map_err(Failure::file(&program))?;
    }
    Ok(())
}

fn script(up: &str) -> String {
    format!(
        "#!/bin/sh\n\
         # Needs a newer C library than the machine may have: it runs with its own.\n\
         libraries=${{0%/*}}/{up}x86_64-linux-gnu\n\
         exec \"$libraries/ld-linux-x86-64.so.2\" --library-path \"$libraries\" \
         --argv0 \"$0\" \"$0{MOVED}\" \"$@\"\n"
    )
}

fn is_elf(path: &Path) -> Result<bool, Failure> {
    let mut magic = Vec::new();
    let file = File::open(path).map_err(Failure::file(path))?;
    file.take(4)
        .read_to_end(&mut magic)
        .map_err(Failure::file(path))?;
    Ok(magic == *b"\x7fELF")
}

/// The first GCC that aligns functions by an option of its own, as kernels expect
/// of the one they were configured with.
const ALIGNS: u32 = 14;

/// The oldest GCC that is tried. The kernel itself is content with less.
const OLDEST: u32 = 12;

/// What make is told so that modules are built by a GCC that is installed, if the
/// kernel's own is not. Nothing if it is, or if there is none.
pub(super) fn compiler(headers: &Path, installed: impl Fn(&str) -> bool) -> Vec<String> {
    let variables = fs::read_to_string(headers.join(".kernelvariables")).unwrap_or_default();
    own(&variables).map_or_else(Vec::new, |own| instead(own, installed))
}

/// The kernel's own GCC, of the line `CC = … $(CROSS_COMPILE)gcc-14`.
fn own(variables: &str) -> Option<u32> {
    let value = variables
        .lines()
        .find_map(|line| line.strip_prefix("CC ="))?;
    value.rsplit_once("gcc-")?.1.trim().parse().ok()
}

fn instead(own: u32, installed: impl Fn(&str) -> bool) -> Vec<String> {
    if installed(&format!("x86_64-linux-gnu-gcc-{own}")) {
        return Vec::new();
    }
    let Some(other) = (OLDEST..own)
        .rev()
        .find(|version| installed(&format!("gcc-{version}")))
    else {
        return Vec::new();
    };
    let mut make = vec![format!("CC=gcc-{other}"), format!("HOSTCC=gcc-{other}")];
    if other < ALIGNS {
        make.push("CONFIG_CC_HAS_MIN_FUNCTION_ALIGNMENT=".to_owned());
    }
    make
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::answer;
    use std::process::Command;

    #[test]
    fn programs_run_by_the_loader_that_came_along_wherever_the_tree_goes() {
        let base = std::env::temp_dir().join(format!("ims-kbuild-{}", std::process::id()));
        let (made, moved) = (base.join("made"), base.join("moved"));
        let kbuild = made.join("linux-kbuild-x");
        tree::write(&kbuild.join("scripts/mod/modpost"), "\x7fELF").unwrap();
        tree::write(&kbuild.join("sign"), "\x7fELF").unwrap();
        tree::write(&kbuild.join("scripts/Makefile"), "x := y\n").unwrap();
        let loader = made.join("x86_64-linux-gnu/ld-linux-x86-64.so.2");
        tree::write(&loader, "#!/bin/sh\necho \"$@\"\n").unwrap();
        fs::set_permissions(&loader, fs::Permissions::from_mode(0o755)).unwrap();
        carry(&kbuild).unwrap();
        fs::rename(&made, &moved).unwrap();
        for name in ["scripts/mod/modpost", "sign"] {
            let program = moved.join("linux-kbuild-x").join(name);
            let said = answer(Command::new(&program).args(["a b", "c"])).unwrap();
            let shown = program.display();
            assert!(
                said.trim()
                    .ends_with(&format!("--argv0 {shown} {shown}.elf a b c")),
                "{said}"
            );
            let text = fs::read_to_string(format!("{shown}.elf")).unwrap();
            assert_eq!(text, "\x7fELF");
        }
        let makefile = moved.join("linux-kbuild-x/scripts/Makefile");
        assert_eq!(fs::read_to_string(makefile).unwrap(), "x := y\n");
        fs::remove_dir_all(base).unwrap();
    }

    #[test]
    fn the_kernels_own_compiler_is_used_as_it_is() {
        let variables = "override ARCH = x86\nCC = $(if $(X),$(CCACHE)) $(CROSS_COMPILE)gcc-14\n";
        assert_eq!(own(variables), Some(14));
        assert_eq!(own("CC = clang\n"), None);
        assert!(instead(14, |name| name == "x86_64-linux-gnu-gcc-14").is_empty());
        assert!(instead(14, |_| false).is_empty());
    }

    #[test]
    fn an_older_compiler_is_told_what_it_lacks() {
        let has = |name: &str| name == "gcc-12" || name == "gcc-13";
        let wanted = [
            "CC=gcc-13",
            "HOSTCC=gcc-13",
            "CONFIG_CC_HAS_MIN_FUNCTION_ALIGNMENT=",
        ];
        assert_eq!(instead(14, has), wanted);
        assert_eq!(
            instead(15, |name| name == "gcc-14"),
            ["CC=gcc-14", "HOSTCC=gcc-14"]
        );
    }
}
