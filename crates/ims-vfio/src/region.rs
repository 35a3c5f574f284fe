// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Regions as a device describes them.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::io::Errno;

/// What a region is, beside its bytes.
#[derive(Debug, Clone, Default)]
pub struct Region {
    /// Its size in bytes; 0 if it is not there.
    pub size: u64,
    /// Whether it can be read.
    pub readable: bool,
    /// Whether it can be written.
    pub writable: bool,
    /// The part of it that a client may map, if any.
    pub shared: Option<Shared>,
}

/// A file behind part of a region, which clients map instead of asking.
#[derive(Debug, Clone)]
pub struct Shared {
    /// The file.
    pub file: Arc<OwnedFd>,
    /// Where the region begins in the file.
    pub offset: u64,
    /// The parts of the region that may be mapped; none means all of it.
    pub areas: Vec<SharedArea>,
}

/// One mappable part of a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SharedArea {
    /// Where it begins in the region.
    pub offset: u64,
    /// Its length in bytes.
    pub size: u64,
}

/// A descriptor that a VMM may have its hypervisor write to when the guest writes
/// to a place in a region, without asking the device.
#[derive(Debug, Clone)]
pub struct IoFd {
    /// Where in the region.
    pub offset: u64,
    /// How many bytes; 0 is any.
    pub size: u64,
    /// The descriptor; several entries may share one.
    pub file: Arc<OwnedFd>,
    /// What happens at a write.
    pub kind: IoFdKind,
}

/// What a hypervisor does with an [`IoFd`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IoFdKind {
    /// It signals an eventfd; with a value, only if that is what was written.
    Eventfd {
        /// The value to match.
        datamatch: Option<u64>,
    },
    /// It passes the access on as a message on a socket or pipe.
    IoRegion {
        /// Comes back with each message.
        user_data: u64,
        /// Writes are not answered.
        posted: bool,
    },
}

/// Why a device did not do an access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AccessError {
    /// There is no such region, or it is shorter.
    #[error("outside the region; ask for its size first")]
    Outside,
    /// The region cannot be read, or not written.
    #[error("the region does not allow this direction")]
    Direction,
    /// The device does not take accesses of this size or alignment here.
    #[error("the device takes no access of this size here")]
    Size,
    /// The device failed.
    #[error("the device failed: {0}")]
    Device(Errno),
}

impl AccessError {
    /// What a caller that expects an errno is told.
    pub fn errno(self) -> Errno {
        match self {
            Self::Outside | Self::Direction | Self::Size => Errno::INVAL,
            Self::Device(errno) => errno,
        }
    }
}
