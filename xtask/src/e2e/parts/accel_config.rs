// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The program that configures a DSA, and the libraries it runs with.

use super::super::apt::Root;
use super::Fetch;
use crate::command::answer;
use crate::failure::Failure;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) const SET: &str = "accel-config";

const PACKAGE: &str = "accel-config";

/// The loader's name in every program of x86-64 (its psABI), and the guest's.
const LOADER: &str = "lib64/ld-linux-x86-64.so.2";

/// Where the guest's loader looks without being told.
const LIBRARIES: &str = "lib/x86_64-linux-gnu";

/// Where libraries lie in a tree of packages.
const PLACES: [&str; 2] = ["lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu"];

/// An accel-config.
#[derive(Debug)]
pub(crate) struct AccelConfig {
    program: PathBuf,
    /// The tree of packages it is part of, if it was fetched.
    tree: Option<PathBuf>,
}

impl AccelConfig {
    /// The user's own, with this machine's libraries.
    pub(crate) fn own(program: &Path) -> Self {
        Self {
            program: program.to_owned(),
            tree: None,
        }
    }

    /// From the cache or the machine's own suites.
    ///
    /// # Errors
    /// What is missing, and what to do about it.
    pub(crate) fn fetched(fetch: &Fetch<'_>) -> Result<Self, Failure> {
        let tree = fetch.set(SET, |machine, place| {
            let root = Root::new(place.clone(), machine, &machine.own(), fetch.progress)?;
            let version = root.version(PACKAGE, None)?;
            if fetch.cache.version(SET, &version).is_some() {
                return Ok((version, None));
            }
            root.fetch_closure(PACKAGE, None, fetch.progress)?;
            let tree = place.join("tree");
            root.unpack(&tree, fetch.progress)?;
            Ok((version, Some(tree)))
        })?;
        Ok(Self {
            program: tree.join("usr/bin/accel-config"),
            tree: Some(tree),
        })
    }

    /// All that must lie in a guest for it to run: names there, and files here.
    ///
    /// # Errors
    /// [`Failure::Missing`] if a library is not there, [`Failure::Command`].
    pub(crate) fn files(&self) -> Result<Vec<(String, PathBuf)>, Failure> {
        let loader = self.loader();
        let mut command = Command::new(&loader);
        if let Some(tree) = &self.tree {
            let places = PLACES.map(|place| tree.join(place).display().to_string());
            command.arg("--library-path").arg(places.join(":"));
        }
        let list = answer(command.arg("--list").arg(&self.program))?;
        let mut files = vec![
            ("usr/bin/accel-config".to_owned(), self.program.clone()),
            (LOADER.to_owned(), loader),
        ];
        for library in libraries(&list)? {
            files.push((format!("{LIBRARIES}/{}", library.name), library.file));
        }
        Ok(files)
    }

    /// The loader: before and after directories were merged under `/usr`.
    fn loader(&self) -> PathBuf {
        let root = self.tree.as_deref().unwrap_or(Path::new("/"));
        let plain = root.join(LOADER);
        if plain.is_file() {
            plain
        } else {
            root.join("usr").join(LOADER)
        }
    }
}

/// A library by the name that programs ask for.
#[derive(Debug, PartialEq, Eq)]
struct Library {
    name: String,
    file: PathBuf,
}

/// Reads what the loader lists: `libx.so.1 => /where/libx.so.1 (0x…)`.
fn libraries(list: &str) -> Result<Vec<Library>, Failure> {
    let mut libraries = Vec::new();
    for line in list.lines() {
        // What names no file is the kernel's, or the loader itself.
        let Some((name, rest)) = line.trim().split_once(" => ") else {
            continue;
        };
        if name.contains('/') {
            continue;
        }
        let file = rest.rsplit_once(" (").map_or(rest, |(file, _)| file).trim();
        if file == "not found" {
            return Err(Failure::Missing {
                what: format!("accel-config needs the library {name}, which is not there"),
                advice: "install it, or leave out --accel-config".to_owned(),
            });
        }
        libraries.push(Library {
            name: name.to_owned(),
            file: file.into(),
        });
    }
    Ok(libraries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loaders_list_names_libraries_and_their_files() {
        let list = "\tlinux-vdso.so.1 (0x00007fd7)\n\
                    \tliba.so.1 => /t/liba.so.1 (0x00007fd7)\n\
                    \t/lib64/ld-linux-x86-64.so.2 => /t/ld.so (0x00007fd7)\n";
        assert_eq!(
            libraries(list).unwrap(),
            [Library {
                name: "liba.so.1".to_owned(),
                file: "/t/liba.so.1".into()
            }]
        );
    }

    #[test]
    fn a_library_that_is_not_there_is_named() {
        let failure = libraries("\tliba.so.1 => not found\n").unwrap_err();
        assert!(failure.to_string().contains("liba.so.1"));
    }

    #[test]
    fn a_program_of_this_machine_comes_with_its_loader_and_libraries() {
        let program = std::env::current_exe().unwrap();
        let files = AccelConfig::own(&program).files().unwrap();
        assert!(files.iter().all(|(_, file)| file.is_file()), "{files:?}");
        assert!(files.iter().any(|(name, _)| name == LOADER));
    }
}
