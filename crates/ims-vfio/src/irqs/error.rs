// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Why something asked of the interrupts was refused.

use rustix::io::Errno;

use super::backing::BackingError;
use super::cell::Kind;

/// Why the interrupts of a device could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinesError {
    /// More MSI vectors than the capability can name.
    #[error("{asked} MSI vectors; the capability can name {limit}")]
    Msi {
        /// How many were asked for.
        asked: u32,
        /// How many there can be.
        limit: u32,
    },
    /// More MSI-X vectors than the capability can name.
    #[error("{asked} MSI-X vectors; the capability can name {limit}")]
    Msix {
        /// How many were asked for.
        asked: u32,
        /// How many there can be.
        limit: u32,
    },
}

/// Why a request was refused.
///
/// After a request with triggers, vectors from its first to the one that failed
/// have none; everything else is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetError {
    /// The request contradicts itself, or names what is not there.
    #[error("malformed request: {0}")]
    Malformed(&'static str),
    /// The index has no such action.
    #[error("interrupt index {index} has no such action")]
    NoHandler {
        /// The index.
        index: u32,
    },
    /// The index is not enabled.
    #[error("interrupt index {index} is not enabled; give it a trigger first")]
    Inactive {
        /// The index.
        index: u32,
    },
    /// Another of INTx, MSI and MSI-X is enabled.
    #[error("interrupt index {active} is enabled; disable it before index {index}")]
    OtherActive {
        /// The index asked for.
        index: u32,
        /// The one that is enabled.
        active: u32,
    },
    /// There is no trigger to signal or to drop.
    #[error("interrupt index {index} has no trigger")]
    NoTrigger {
        /// The index.
        index: u32,
    },
    /// The index does not grow.
    #[error("vector {vector} is beyond the {enabled} enabled; disable the index, then enable more")]
    Grow {
        /// The vector asked for.
        vector: u32,
        /// How many are enabled.
        enabled: u32,
    },
    /// The descriptor cannot be a trigger.
    #[error("the descriptor for vector {vector} is not an eventfd")]
    NotAnEventfd {
        /// The vector.
        vector: u32,
        /// What was wrong.
        errno: Errno,
    },
    /// The host gave no interrupt for an IMS-backed vector.
    #[error("vector {vector}: {source}")]
    Backing {
        /// The vector.
        vector: u32,
        /// Why.
        source: BackingError,
    },
}

impl SetError {
    /// What a caller that expects an errno is told: `ENOTTY` where the index has
    /// no such action, what the host said where it gave no interrupt, and
    /// `EINVAL` for the rest.
    pub fn errno(&self) -> Errno {
        match self {
            Self::NoHandler { .. } => Errno::NOTTY,
            Self::NotAnEventfd { errno, .. } => *errno,
            Self::Backing { source, .. } => source.errno(),
            Self::Malformed(_)
            | Self::Inactive { .. }
            | Self::OtherActive { .. }
            | Self::NoTrigger { .. }
            | Self::Grow { .. } => Errno::INVAL,
        }
    }
}

/// Why software could not raise a vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TriggerError {
    /// There is no such vector.
    #[error("there is no such interrupt")]
    NoSuchVector,
    /// The pin has a level and cannot be raised.
    #[error("the pin has a level; set that instead")]
    Pin,
    /// The vector stands for an interrupt of the host.
    #[error("the vector is IMS-backed; raise its index through the port of its domain")]
    Backed,
    /// Nobody has given it a trigger.
    #[error("the interrupt has no trigger; keep it pending until it has one")]
    NoTrigger,
}

impl TriggerError {
    /// What a caller that expects an errno is told.
    pub fn errno(self) -> Errno {
        match self {
            Self::NoTrigger => Errno::NOENT,
            Self::NoSuchVector | Self::Pin | Self::Backed => Errno::INVAL,
        }
    }
}

/// Why there is no handle, or a vector cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VectorError {
    /// There is no such vector.
    #[error("vector {vector} does not exist; there are {count}")]
    OutOfRange {
        /// The vector.
        vector: u32,
        /// How many there are.
        count: u32,
    },
    /// The vector is not IMS-backed: it has no cookie, index or handle.
    #[error("vector {vector} is not IMS-backed")]
    NotBacked {
        /// The vector.
        vector: u32,
    },
    /// The device has no IMS to back vectors by.
    #[error("the device has no IMS to back vectors by")]
    NoBacking,
    /// The vector has been used; its kind is fixed.
    #[error("vector {vector} has been used; declare vectors before a client comes")]
    Used {
        /// The vector.
        vector: u32,
    },
    /// The vector has no trigger, and so nothing is allocated for it.
    #[error("vector {vector} has no trigger; ask again when it has one")]
    NoTrigger {
        /// The vector.
        vector: u32,
    },
    /// The host gave no interrupt.
    #[error("vector {vector}: {source}")]
    Backing {
        /// The vector.
        vector: u32,
        /// Why.
        source: BackingError,
    },
}

impl VectorError {
    /// What a caller that expects an errno is told.
    pub fn errno(&self) -> Errno {
        match self {
            Self::Used { .. } => Errno::BUSY,
            Self::NoTrigger { .. } => Errno::NOENT,
            Self::Backing { source, .. } => source.errno(),
            Self::OutOfRange { .. } | Self::NotBacked { .. } | Self::NoBacking => Errno::INVAL,
        }
    }
}

/// Why a saved state was refused. Nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// It is of a device with other interrupts.
    #[error("the state is of a device with other interrupts; make the device as it was")]
    Lines,
    /// The pin has a state, and there is none.
    #[error("the state has a pin; the device has none")]
    Pin,
    /// A vector is not there.
    #[error("the state names vector {vector}; there are {count}")]
    OutOfRange {
        /// The vector.
        vector: u32,
        /// How many there are.
        count: u32,
    },
    /// Vectors do not stand in order, or stand twice.
    #[error("the state names vector {vector} after one that is not below it")]
    Order {
        /// The vector.
        vector: u32,
    },
    /// A vector is of another kind.
    #[error("vector {vector} is {have:?}; the state has it as {state:?}")]
    Kind {
        /// The vector.
        vector: u32,
        /// What it is.
        have: Kind,
        /// What the state says.
        state: Kind,
    },
    /// A vector has a cookie and is not IMS-backed.
    #[error("the state has a cookie for vector {vector}, which is not IMS-backed")]
    Cookie {
        /// The vector.
        vector: u32,
    },
    /// An interrupt is owed to a vector without a trigger.
    #[error("the state owes an interrupt to vector {vector}, which had no trigger")]
    Owed {
        /// The vector.
        vector: u32,
    },
}
