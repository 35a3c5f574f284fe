// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What can go wrong, and what to do then.

use std::io;

use rustix::io::Errno;

/// Why there are no interrupts for a VM.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NewError {
    /// Pins that KVM cannot have.
    #[error("pin {gsi} is at or above KVM's {limit} GSIs; give pins low numbers")]
    Pin {
        /// Its number.
        gsi: u32,
        /// How many there are.
        limit: u32,
    },
    /// The set of watched eventfds could not be made.
    #[error("no epoll set for eventfds ({0}); raise the limit of open files")]
    Watch(#[source] io::Error),
}

/// Why a vector has no eventfd.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LineError {
    /// There is no such vector.
    #[error("vector {index} of {count}; ask for one that the device has")]
    NoSuchVector {
        /// The vector asked for.
        index: u32,
        /// How many there are.
        count: u32,
    },
    /// The eventfd could not be made or watched.
    #[error("no eventfd for vector {index} ({source}); raise the limit of open files")]
    Eventfd {
        /// The vector.
        index: u32,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The thread that forwards could not be started.
    #[error("the thread that forwards eventfds did not start ({0}); raise the limit of threads")]
    Thread(#[source] io::Error),
}

/// Why routes were not committed. Every eventfd works on: it is forwarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// KVM refused the table.
    #[error("KVM refused {routes} routes: {errno}")]
    Refused {
        /// How many.
        routes: usize,
        /// What it said.
        errno: Errno,
    },
}
