// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Why the control half refused.

use crate::message::MessageError;
use crate::remap::ControlError;
use crate::store::StoreError;
use crate::vector::{CpuId, MatrixError};

/// Why the control half refused. The request as a whole has changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DomainError {
    /// The token, or the id of a space, unit, device, domain or group, names
    /// something that is gone.
    #[error("this {what} does not exist any more; drop the id")]
    Stale {
        /// What kind of thing.
        what: &'static str,
    },
    /// The index is beyond the domain.
    #[error("index {index} is out of range; the domain has {limit}")]
    IndexOutOfRange {
        /// The index asked for.
        index: u32,
        /// How many there are.
        limit: u32,
    },
    /// The index is taken, or not yet quiet after it was freed.
    #[error("index {index} is taken; free it first, or ask for any index")]
    IndexTaken {
        /// The index asked for.
        index: u32,
    },
    /// Every index is taken.
    #[error("all {limit} indices of the domain are taken; free some")]
    NoIndex {
        /// How many there are.
        limit: u32,
    },
    /// A domain cannot have this size.
    #[error("a domain of {asked} slots is not possible; its kind and store allow 1 to {limit}")]
    Size {
        /// The size asked for.
        asked: u32,
        /// What is possible.
        limit: u32,
    },
    /// The device has a domain of this kind already.
    #[error("the device has a domain of this kind already; use that one")]
    KindTaken,
    /// A group without members.
    #[error("a group needs at least one interrupt")]
    EmptyGroup,
    /// The affinity of a managed interrupt is not the caller's to change.
    #[error("the interrupt is managed; its affinity was fixed at allocation")]
    Managed,
    /// The last move is not over: the old vector is not quiet yet.
    #[error("the interrupt is still moving; settle, then move it again")]
    Moving,
    /// The interrupt is active already.
    #[error("the interrupt is active already")]
    Active,
    /// The host cannot reach the CPU.
    #[error("CPU {} cannot be reached; bring it up before it takes interrupts", .cpu.0)]
    Unreachable {
        /// The CPU.
        cpu: CpuId,
    },
    /// Posting needs an entry to post through.
    #[error("an unmapped domain cannot post to virtual CPUs; give it a remap unit")]
    UnmappedPosting,
    /// The vector matrix refused.
    #[error(transparent)]
    Vector(#[from] MatrixError),
    /// The remap unit refused.
    #[error(transparent)]
    Remap(#[from] ControlError),
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The message cannot be expressed.
    #[error(transparent)]
    Message(#[from] MessageError),
}

impl DomainError {
    /// The error number that Linux gives for the same (positive).
    pub fn errno(&self) -> i32 {
        const ENOENT: i32 = 2;
        const EIO: i32 = 5;
        const EBUSY: i32 = 16;
        const EEXIST: i32 = 17;
        const ENODEV: i32 = 19;
        const EINVAL: i32 = 22;
        const ENOSPC: i32 = 28;
        const ERANGE: i32 = 34;
        match self {
            Self::Stale { .. } => ENOENT,
            Self::IndexOutOfRange { .. } | Self::Store(StoreError::OutOfRange { .. }) => ERANGE,
            Self::IndexTaken { .. } | Self::Moving => EBUSY,
            Self::NoIndex { .. } => ENOSPC,
            Self::KindTaken | Self::Active => EEXIST,
            Self::Unreachable { .. } => ENODEV,
            Self::Vector(error) => error.errno(),
            Self::Remap(ControlError::Table(crate::remap::TableError::Full { .. })) => ENOSPC,
            Self::Remap(_) | Self::Store(StoreError::Command) => EIO,
            Self::Size { .. }
            | Self::EmptyGroup
            | Self::Managed
            | Self::UnmappedPosting
            | Self::Store(_)
            | Self::Message(_) => EINVAL,
        }
    }

    /// Whether freeing something else could make the request succeed.
    pub(super) fn is_exhaustion(&self) -> bool {
        matches!(self.errno(), 28) || matches!(self, Self::IndexTaken { .. })
    }
}

/// Shorthand for [`DomainError::Stale`].
pub(super) fn stale(what: &'static str) -> DomainError {
    DomainError::Stale { what }
}
