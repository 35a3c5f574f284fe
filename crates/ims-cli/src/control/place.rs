// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where sockets are: `$XDG_RUNTIME_DIR/ims`, or `/tmp/ims-UID`; a directory that
//! nobody else can reach into.

use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

/// Where the sockets of a user's server are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    directory: PathBuf,
}

/// Why a directory is not fit for sockets.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum PlaceError {
    /// It is somebody else's.
    #[error(
        "{path} belongs to user {uid}, not to you (user {own}); name another place with {flag}"
    )]
    Owner {
        /// The directory.
        path: PathBuf,
        /// Whose it is.
        uid: u32,
        /// Who wants it.
        own: u32,
        /// What to use instead.
        flag: &'static str,
    },
    /// Others can reach in.
    #[error("{path} is open to other users (mode {mode:03o}); `chmod 700 {path}`")]
    Open {
        /// The directory.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It is something else.
    #[error("{0} is not a directory; remove it, or name another place")]
    NotADirectory(PathBuf),
    /// The system refused.
    #[error("{path} cannot be made: {source}")]
    System {
        /// The directory.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

impl Place {
    /// The user's place by default.
    pub(crate) fn of_user() -> Self {
        Self::from_environment(std::env::var_os("XDG_RUNTIME_DIR"), geteuid().as_raw())
    }

    fn from_environment(runtime: Option<OsString>, uid: u32) -> Self {
        let directory = match runtime.map(PathBuf::from) {
            // What is not absolute is to be ignored (XDG Base Directory, 3).
            Some(runtime) if runtime.is_absolute() => runtime.join("ims"),
            _ => PathBuf::from(format!("/tmp/ims-{uid}")),
        };
        Self { directory }
    }

    /// The directory of sockets.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The control socket.
    pub(crate) fn control(&self) -> PathBuf {
        self.directory.join("control")
    }

    /// Makes the directory if it is not there, for its owner alone; refuses one that
    /// is there and is not so.
    ///
    /// # Errors
    /// [`PlaceError`].
    pub(crate) fn make(&self) -> Result<(), PlaceError> {
        let path = &self.directory;
        let failed = |source| PlaceError::System {
            path: path.clone(),
            source,
        };
        match DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(failed(error));
            }
            _ => {}
        }
        // Not where a link leads: in /tmp, anybody may have laid one.
        let there = fs::symlink_metadata(path).map_err(failed)?;
        if !there.is_dir() {
            return Err(PlaceError::NotADirectory(path.clone()));
        }
        check(path, there.uid(), there.mode() & 0o777, geteuid().as_raw())
    }
}

/// Whether a directory of user `uid` with `mode` is fit for the sockets of `own`.
fn check(path: &Path, uid: u32, mode: u32, own: u32) -> Result<(), PlaceError> {
    let path = path.to_owned();
    if uid != own {
        let flag = "--control and --dir";
        return Err(PlaceError::Owner {
            path,
            uid,
            own,
            flag,
        });
    }
    if mode & 0o077 != 0 {
        return Err(PlaceError::Open { path, mode });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn the_place_is_the_runtime_directory_or_one_for_the_user() {
        let place = |runtime: Option<&str>| {
            Place::from_environment(runtime.map(OsString::from), 7).control()
        };
        assert_eq!(
            place(Some("/run/user/7")),
            Path::new("/run/user/7/ims/control")
        );
        assert_eq!(place(Some("relative")), Path::new("/tmp/ims-7/control"));
        assert_eq!(place(Some("")), Path::new("/tmp/ims-7/control"));
        assert_eq!(place(None), Path::new("/tmp/ims-7/control"));
    }

    #[test]
    fn a_directory_is_made_for_the_owner_alone_and_taken_again() {
        let scratch = Scratch::new("place");
        let place = Place {
            directory: scratch.join("ims"),
        };
        place.make().unwrap();
        let mode = fs::metadata(place.directory()).unwrap().mode();
        assert_eq!(mode & 0o777, 0o700);
        place.make().unwrap();
    }

    #[test]
    fn a_directory_that_others_reach_is_refused() {
        let scratch = Scratch::new("open");
        let place = Place {
            directory: scratch.join("ims"),
        };
        place.make().unwrap();
        fs::set_permissions(place.directory(), fs::Permissions::from_mode(0o750)).unwrap();
        let error = place.make().unwrap_err().to_string();
        assert!(error.contains("(mode 750); `chmod 700 "), "{error}");
        let path = Path::new("/x");
        assert!(check(path, 7, 0o700, 7).is_ok());
        let error = check(path, 8, 0o700, 7).unwrap_err().to_string();
        assert!(
            error.contains("belongs to user 8, not to you (user 7)"),
            "{error}"
        );
    }

    #[test]
    fn a_link_and_a_file_are_refused() {
        let scratch = Scratch::new("link");
        fs::create_dir(scratch.join("real")).unwrap();
        symlink(scratch.join("real"), scratch.join("ims")).unwrap();
        fs::write(scratch.join("file"), "").unwrap();
        for name in ["ims", "file"] {
            let place = Place {
                directory: scratch.join(name),
            };
            assert!(matches!(place.make(), Err(PlaceError::NotADirectory(_))));
        }
    }
}
