// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What can go wrong with maps and accesses.

use rustix::io::Errno;

/// Why a range was not mapped or unmapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MapError {
    /// It overlaps a map there is.
    #[error("overlaps a map; unmap that first")]
    Overlap,
    /// It is empty, or goes beyond the last address.
    #[error("the range is empty or goes beyond the last address")]
    Range,
    /// No map is exactly this range.
    #[error("no map is exactly this range; unmap what was mapped, whole")]
    NoSuchMap,
    /// The memory named does not have all these bytes.
    #[error("the memory behind the map is shorter than the map")]
    Memory,
    /// There are as many maps as there may be.
    #[error("too many maps; map larger ranges, or unmap some")]
    TooMany,
}

impl MapError {
    /// What a caller that expects an errno is told.
    pub fn errno(self) -> Errno {
        match self {
            Self::Overlap => Errno::EXIST,
            Self::TooMany => Errno::NOSPC,
            Self::Range | Self::NoSuchMap | Self::Memory => Errno::INVAL,
        }
    }
}

/// Why memory was not reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DmaError {
    /// Bus mastering is off.
    #[error("bus mastering is off; wait until the guest turns it on")]
    Blocked,
    /// The session is of a time before a reset, a bus-master-off or the loss of the
    /// client: its work is void.
    #[error("the device was stopped meanwhile; drop the session and its work")]
    Ended,
    /// The range goes beyond the last address.
    #[error("the range goes beyond the last address")]
    Wraps,
    /// An address that no map holds.
    #[error("address {address:#x} is not mapped")]
    Unmapped {
        /// The first such address.
        address: u64,
    },
    /// A map that does not allow this direction.
    #[error("the map at address {address:#x} does not allow this direction")]
    Denied {
        /// The first such address.
        address: u64,
    },
    /// A window was asked for where only messages reach.
    #[error("address {address:#x} is reached by messages only; read or write it instead")]
    NoMemory {
        /// The address.
        address: u64,
    },
    /// A message would have to be waited for, by the thread that receives answers.
    #[error("the answer comes to this thread; use the variant with a callback")]
    WouldBlock,
    /// Messages are needed, and there is no client to send them to.
    #[error("only the client has this memory, and there is no client")]
    NoClient,
    /// More bytes than this process can hold at once.
    #[error("too many bytes at once; read them in pieces")]
    TooLong,
    /// The memory is no longer there: its owner made the file shorter.
    #[error("the memory at address {address:#x} was taken away by its owner")]
    Lost {
        /// Where the access began in the map.
        address: u64,
    },
    /// The client refused, or did not answer.
    #[error("the client did not do the access: {0}")]
    Remote(Errno),
}

impl DmaError {
    /// What a caller that expects an errno is told.
    pub fn errno(self) -> Errno {
        match self {
            Self::Blocked => Errno::NODEV,
            Self::Ended => Errno::CANCELED,
            Self::Wraps => Errno::INVAL,
            Self::Unmapped { .. } | Self::NoMemory { .. } => Errno::FAULT,
            Self::Denied { .. } => Errno::ACCESS,
            Self::WouldBlock => Errno::DEADLK,
            Self::NoClient => Errno::NOTCONN,
            Self::TooLong => Errno::NOMEM,
            Self::Lost { .. } => Errno::IO,
            Self::Remote(errno) => errno,
        }
    }
}
