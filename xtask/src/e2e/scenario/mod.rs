// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Boots of a guest, and what must come of each.

mod dsa;
pub(crate) mod guest_ims;
pub(crate) mod killed;
pub(crate) mod movdir64b;
pub(crate) mod physical;
pub(crate) mod remapped;
pub(crate) mod revoked;
mod story;
pub(crate) mod unremapped;
mod virtio;
pub(crate) mod virtio_mmio;
pub(crate) mod virtio_msg;
pub(crate) mod virtio_pci;
pub(crate) mod virtual_device;

use super::device::Program;
use super::machine::{Config, Unit};
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
    /// The example's server.
    pub(crate) program: &'a Program,
    /// The program `ims`.
    pub(crate) ims: &'a Program,
    /// The server of virtio devices.
    pub(crate) virtio: &'a Program,
    pub(crate) guests: &'a Guests,
    pub(crate) place: &'a Place,
    pub(crate) progress: &'a Progress,
}

/// The file systems of guests.
#[derive(Debug)]
pub(crate) struct Guests {
    /// With a device whose store the guest's kernel programs itself.
    pub(crate) store: PathBuf,
    /// With an Intel DSA.
    pub(crate) dsa: PathBuf,
    /// The same for the newer kernel, if there is one.
    pub(crate) newer_dsa: Option<PathBuf>,
    /// With virtio devices.
    pub(crate) virtio: PathBuf,
}

/// What a guest with a DSA boots.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Boot<'a> {
    image: &'a Path,
    initramfs: &'a Path,
}

impl Setting<'_> {
    /// Where the device server listens.
    fn socket(&self) -> PathBuf {
        self.place.path().join("device")
    }

    /// A guest of two CPUs without devices.
    fn config<'a>(&'a self, initramfs: &'a Path, tests: &'a [&'a str]) -> Config<'a> {
        Config {
            parts: self.parts,
            image: &self.parts.kernel.image,
            initramfs,
            devices: &[],
            place: self.place.path(),
            cpus: 2,
            unit: Unit::Absent,
            kernel: &[],
            tests,
            limit: LIMIT,
        }
    }

    /// The guest with a DSA.
    pub(crate) fn dsa(&self) -> Boot<'_> {
        Boot {
            image: &self.parts.kernel.image,
            initramfs: &self.guests.dsa,
        }
    }

    /// The same with the newer kernel, if there is one.
    pub(crate) fn newer_dsa(&self) -> Option<Boot<'_>> {
        let newer = self.parts.newer.as_ref()?;
        Some(Boot {
            image: &newer.kernel.image,
            initramfs: self.guests.newer_dsa.as_deref()?,
        })
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
