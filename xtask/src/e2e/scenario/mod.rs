// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Boots of a guest, and what must come of each.

pub(crate) mod remapped;
mod story;
pub(crate) mod unremapped;

use super::device::Program;
use super::machine::Config;
use super::parts::Parts;
use crate::failure::Failure;
use crate::progress::Progress;
use crate::tree;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a boot may take. Five times what it takes on two busy cores.
const LIMIT: Duration = Duration::from_secs(240);

/// What every scenario needs.
#[derive(Debug)]
pub(crate) struct Setting<'a> {
    pub(crate) parts: &'a Parts,
    pub(crate) program: &'a Program,
    pub(crate) initramfs: &'a Path,
    pub(crate) place: &'a Place,
    pub(crate) progress: &'a Progress,
}

impl Setting<'_> {
    /// Where the device server listens.
    fn socket(&self) -> PathBuf {
        self.place.path().join("device")
    }

    fn config<'a>(
        &'a self,
        socket: &'a Path,
        cpus: u32,
        remapping: bool,
        tests: &'a [&'a str],
    ) -> Config<'a> {
        Config {
            parts: self.parts,
            initramfs: self.initramfs,
            device: socket,
            place: self.place.path(),
            cpus,
            remapping,
            tests,
            limit: LIMIT,
        }
    }

    /// Keeps what was printed, for whoever wants to know more. That it cannot be
    /// kept is no failure of what is tested.
    fn keep(&self, name: &str, text: &str) {
        let path = tree::root().join("target/e2e").join(name);
        let _ = tree::write(&path, text);
    }
}

/// A directory for sockets, whose names must be short. Removed when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    path: PathBuf,
}

impl Place {
    /// Makes one that nobody else can enter.
    ///
    /// # Errors
    /// [`Failure::File`].
    pub(crate) fn new() -> Result<Self, Failure> {
        use std::os::unix::fs::DirBuilderExt;
        let path = std::env::temp_dir().join(format!("ims-e2e-{}", std::process::id()));
        // An earlier process of the same number may have been killed.
        let _ = fs::remove_dir_all(&path);
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(Failure::file(&path))?;
        Ok(Self { path })
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // The system's own sweeping gets what stays.
        let _ = fs::remove_dir_all(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_short_private_and_goes_away() {
        use std::os::unix::fs::PermissionsExt;
        let place = Place::new().unwrap();
        let path = place.path().to_owned();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o700
        );
        fs::write(path.join("x"), "").unwrap();
        drop(place);
        assert!(!path.exists());
    }
}
