// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Why a file cannot be memory.

use rustix::io::Errno;

/// Why a client's file was not taken as memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MemoryError {
    /// It is a pipe, a socket, a directory or a device.
    #[error("not a file that can be memory; send a memfd or a regular file")]
    NotMemory,
    /// The descriptor only names the file.
    #[error("the descriptor was opened with O_PATH; open the file itself")]
    NotOpen,
    /// The descriptor was not opened for what the map allows.
    #[error(
        "the descriptor is not open for this access; open it for reading, and for writing if the device shall write"
    )]
    Direction,
    /// The range is empty, wraps, or goes beyond the file's end.
    #[error("the range is empty or goes beyond the file's end")]
    Range,
    /// The descriptor could not be looked at.
    #[error("cannot look at the descriptor: {0}")]
    Descriptor(Errno),
    /// The file could not be mapped.
    #[error("cannot map the file: {0}")]
    Map(Errno),
    /// Bus errors could not be caught, so a client could end this process.
    #[error("cannot catch bus errors, so nothing is mapped: {0}")]
    Handler(Errno),
}

impl MemoryError {
    /// What a client is told.
    pub fn errno(self) -> Errno {
        match self {
            Self::NotMemory | Self::Range => Errno::INVAL,
            Self::NotOpen => Errno::BADF,
            Self::Direction => Errno::ACCESS,
            Self::Descriptor(errno) | Self::Map(errno) | Self::Handler(errno) => errno,
        }
    }
}
