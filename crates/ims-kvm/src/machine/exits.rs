// SPDX-License-Identifier: Apache-2.0 OR MIT
//! How often a vCPU came out of the kernel, and why.

use std::sync::atomic::{AtomicU64, Ordering};

/// Exits of a vCPU since it started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Exits {
    /// The guest read what is no memory.
    pub reads: u64,
    /// It wrote there.
    pub writes: u64,
    /// A handler told what it found ([`super::Config::notify`]).
    pub notices: u64,
    /// The end of a [`super::Machine::guest_write`] or `guest_read`.
    pub commands: u64,
    /// A signal of the host.
    pub interrupted: u64,
    /// The rest.
    pub other: u64,
}

/// What an exit was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Read,
    Write,
    Notice,
    Command,
    Interrupted,
    Other,
}

/// Counts, written by the vCPU's thread.
#[derive(Debug, Default)]
pub(super) struct Counts {
    reads: AtomicU64,
    writes: AtomicU64,
    notices: AtomicU64,
    commands: AtomicU64,
    interrupted: AtomicU64,
    other: AtomicU64,
}

impl Counts {
    pub(super) fn add(&self, kind: Kind) {
        let count = match kind {
            Kind::Read => &self.reads,
            Kind::Write => &self.writes,
            Kind::Notice => &self.notices,
            Kind::Command => &self.commands,
            Kind::Interrupted => &self.interrupted,
            Kind::Other => &self.other,
        };
        count.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> Exits {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Exits {
            reads: of(&self.reads),
            writes: of(&self.writes),
            notices: of(&self.notices),
            commands: of(&self.commands),
            interrupted: of(&self.interrupted),
            other: of(&self.other),
        }
    }
}
