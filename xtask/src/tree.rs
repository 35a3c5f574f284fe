// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The workspace's files.

use crate::failure::Failure;
use std::fs;
use std::path::{Path, PathBuf};

/// The workspace's root.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// All files below `place` (or `place` itself, if it is one), sorted.
///
/// Leaves out build output and what begins with a dot; does not follow links.
///
/// # Errors
/// [`Failure::File`] if a directory cannot be read.
pub(crate) fn files(place: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    let mut waiting = vec![place.to_owned()];
    while let Some(path) = waiting.pop() {
        let kind = fs::symlink_metadata(&path).map_err(Failure::file(&path))?;
        if kind.is_file() {
            found.push(path);
        } else if kind.is_dir() {
            for entry in fs::read_dir(&path).map_err(Failure::file(&path))? {
                let entry = entry.map_err(Failure::file(&path))?;
                let name = entry.file_name();
                if name != "target" && !name.to_string_lossy().starts_with('.') {
                    waiting.push(entry.path());
                }
            }
        }
    }
    found.sort();
    Ok(found)
}

/// `path` as seen from the workspace's root.
pub(crate) fn relative(path: &Path) -> String {
    path.strip_prefix(root())
        .unwrap_or(path)
        .to_string_lossy()
        .into_owned()
}

/// Reads a text file.
///
/// # Errors
/// [`Failure::File`].
pub(crate) fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(Failure::file(path))
}

/// Writes a file, and the directories it lies in.
///
/// # Errors
/// [`Failure::File`].
pub(crate) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(Failure::file(parent))?;
    }
    fs::write(path, text).map_err(Failure::file(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_holds_this_crate() {
        assert!(root().join("xtask/src/tree.rs").is_file());
    }

    #[test]
    fn files_are_found_sorted_and_without_build_output() {
        let found = files(&root().join("xtask")).unwrap();
        assert!(found.is_sorted());
        assert!(
            found
                .iter()
                .any(|path| relative(path) == "xtask/src/tree.rs")
        );
        assert!(files(&root().join("xtask/Cargo.toml")).unwrap().len() == 1);
        assert!(files(&root().join("xtask/absent")).is_err());
    }
}
