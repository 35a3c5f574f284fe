// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Why devices could not be served.

use std::io;
use std::path::PathBuf;

use ims_dsa::adi::{ComposeError, ParentError};
use ims_dsa::physical::PhysicalError;
use ims_vfio_user::{ListenError, ServerError};

use crate::control::{ListenerError, Name, NameError, PlaceError};
use crate::given::GivenError;

/// Why devices could not be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum ServeError {
    /// A field, or the file.
    #[error(transparent)]
    Given(#[from] GivenError),
    /// A flag that is not for what is served.
    #[error("--{flag}: {why}")]
    Flag {
        /// Which.
        flag: &'static str,
        /// What it is for.
        why: &'static str,
    },
    /// Not a name.
    #[error("\"{name}\" cannot be a device's name: {error}")]
    Name {
        /// What was to be one.
        name: String,
        /// Why not.
        error: NameError,
    },
    /// Two devices of one name.
    #[error("there is a device \"{0}\" already; use another name")]
    SameName(Name),
    /// Two devices at one socket.
    #[error("{name} and {other} are both to be served at {socket}; give one another socket")]
    SameSocket {
        /// One.
        name: Name,
        /// The other.
        other: String,
        /// Where.
        socket: PathBuf,
    },
    /// A path no socket can have.
    #[error(
        "{name}: {} cannot be a socket's path: at most {most} bytes of text; use a shorter --dir",
        socket.display()
    )]
    SocketPath {
        /// Whose.
        name: Name,
        /// The path.
        socket: PathBuf,
        /// The longest.
        most: usize,
    },
    /// Too few open files.
    #[error(
        "{devices} devices need {needed} open files to listen, and the hard limit is {limit}; \
         raise it (`ulimit -Hn`, LimitNOFILE=) or serve fewer"
    )]
    OpenFiles {
        /// How many devices.
        devices: usize,
        /// What they need.
        needed: u64,
        /// What there is.
        limit: u64,
    },
    /// The limit of open files could not be raised.
    #[error("the limit of open files could not be raised: {0}")]
    Limit(io::Error),
    /// The directory of sockets.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The directory that was asked for.
    #[error("{directory}: cannot be made: {source}; name another with --dir")]
    Directory {
        /// Which.
        directory: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The control socket.
    #[error("{0}; or name another with --control")]
    Control(#[from] ListenerError),
    /// The device that virtual ones are composed on.
    #[error("the parent of virtual devices: {0}")]
    Parent(#[from] ParentError),
    /// A virtual device.
    #[error("{name}: {error}")]
    Compose {
        /// Which.
        name: Name,
        /// Why not.
        error: ComposeError,
    },
    /// A physical function.
    #[error("{name}: {error}")]
    Physical {
        /// Which.
        name: Name,
        /// Why not.
        error: PhysicalError,
    },
    /// A device's socket.
    #[error("{name}: {error}")]
    Listen {
        /// Whose.
        name: Name,
        /// Why not.
        error: ListenError,
    },
    /// The server.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// Signals cannot be waited for.
    #[error("signals cannot be waited for: {0}")]
    Signals(io::Error),
    /// What was to be said could not be.
    #[error("standard output: {0}")]
    Output(io::Error),
}
