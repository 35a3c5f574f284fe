// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where clients of a device come in.

use std::io;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use ims_vfio::Endpoint;

/// Why a device cannot be served at a path.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// Somebody listens there.
    #[error("{0} is served by another process; stop it, or use another path")]
    InUse(PathBuf),
    /// Something that is not a socket is there.
    #[error("{0} exists and is not a socket; remove it, or use another path")]
    NotASocket(PathBuf),
    /// The operating system refused.
    #[error("{path} cannot be listened on: {source}")]
    Bind {
        /// Where.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

/// A device and the socket its clients connect to.
pub(super) struct Listener {
    /// Not there if the device is served to one socket that was given, or no longer.
    pub(super) door: Option<Door>,
    pub(super) endpoint: Endpoint,
    /// A client is there, or its memory still in use.
    pub(super) busy: bool,
}

impl Listener {
    /// What its device is called where people read: the socket's name.
    pub(super) fn name(&self) -> &str {
        let door = self.door.as_ref();
        let name = door.and_then(|door| door.path.file_name());
        name.and_then(|name| name.to_str()).unwrap_or("adopted")
    }
}

/// A listening socket; its path goes with it.
pub(super) struct Door {
    pub(super) socket: UnixListener,
    pub(super) path: PathBuf,
}

impl Drop for Door {
    fn drop(&mut self) {
        // Somebody else may have removed it before.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Listens at `path`, in place of a socket that a dead server left there, without
/// blocking: what [`Server::listen`](super::Server::listen) does, for the sockets a
/// server has besides.
///
/// # Errors
/// [`ListenError`].
pub fn bind(path: &Path) -> Result<UnixListener, ListenError> {
    let failed = |source| ListenError::Bind {
        path: path.to_owned(),
        source,
    };
    let listener = match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let there = std::fs::symlink_metadata(path).map_err(failed)?;
            if !there.file_type().is_socket() {
                return Err(ListenError::NotASocket(path.to_owned()));
            }
            match UnixStream::connect(path) {
                // Nobody behind it: its server died.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    std::fs::remove_file(path).map_err(failed)?;
                    UnixListener::bind(path).map_err(failed)?
                }
                _ => return Err(ListenError::InUse(path.to_owned())),
            }
        }
        bound => bound.map_err(failed)?,
    };
    listener.set_nonblocking(true).map_err(failed)?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("ims-{name}-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        path
    }

    #[test]
    fn a_socket_left_by_a_dead_server_is_replaced_and_a_live_one_is_not() {
        let path = place("left");
        drop(bind(&path).unwrap());
        let live = bind(&path).unwrap();
        assert!(matches!(bind(&path), Err(ListenError::InUse(_))));
        drop(live);
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_file_that_is_no_socket_is_left_alone() {
        let path = place("file");
        std::fs::write(&path, "mine").unwrap();
        assert!(matches!(bind(&path), Err(ListenError::NotASocket(_))));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
        std::fs::remove_file(&path).unwrap();
        let nowhere = path.join("below");
        assert!(matches!(bind(&nowhere), Err(ListenError::Bind { .. })));
    }
}
