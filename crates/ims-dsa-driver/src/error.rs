// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What can go wrong.

use std::io;
use std::path::PathBuf;

use rustix::io::Errno;

/// Why the driver could not do it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DriverError {
    /// Nobody listens there.
    #[error("cannot connect to {path}: {source}; is a server running there?")]
    Connect {
        /// The socket.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The connection broke, or the server said nothing for too long.
    #[error("the connection to the device failed: {0}")]
    Connection(#[from] io::Error),
    /// The server hung up.
    #[error("the server hung up")]
    HungUp,
    /// The server answered something nobody asked, or an answer that is too short.
    #[error("the server breaks the protocol: {0}")]
    Protocol(&'static str),
    /// The server refused a message.
    #[error("the server refuses {what}: {errno}")]
    Refused {
        /// What was asked.
        what: &'static str,
        /// Its errno.
        errno: Errno,
    },
    /// The device refused a command (CMDSTATUS).
    #[error("the device refuses command {command}: error {error:#x}")]
    Command {
        /// The command's code.
        command: u8,
        /// Its error.
        error: u8,
    },
    /// The device did not do it in time.
    #[error("the device did not {0} in time")]
    Late(&'static str),
    /// A descriptor ended with another status than success.
    #[error("a descriptor ended with status {0:#x}")]
    Status(u8),
    /// The arena is used up, or an access is outside it.
    #[error("no room in the memory given to the device; make it larger")]
    Memory,
    /// The device is not what this drives.
    #[error("not a DSA, or one in an unexpected state: {0}")]
    Device(&'static str),
}

impl From<Errno> for DriverError {
    fn from(errno: Errno) -> Self {
        Self::Connection(errno.into())
    }
}
