// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a run is made of: how many machines, interfaces and interrupts, and what
//! disturbs them.
//!
//! ```text
//!    defaults ◀─ overridden by ─ file (TOML) ◀─ overridden by ─ flags
//!        └───────────── field: name, range, where it is kept ─────────┘
//! ```
//!
//! One table of [`field::FIELDS`] says for every field what is right; file, flags
//! and help are read against it, so that they cannot differ.

mod capacity;
mod error;
mod field;
mod file;
mod flags;
#[cfg(test)]
mod tests;

use serde::Serialize;

pub(crate) use flags::RunArgs;

/// A whole run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Scenario {
    /// Virtual machines.
    pub(crate) vms: u32,
    /// Virtual CPUs of each machine.
    pub(crate) vcpus: u32,
    /// What the virtual CPUs are.
    pub(crate) on: On,
    /// Assignable device interfaces, over all machines.
    pub(crate) adis: u32,
    /// Queues of each interface.
    pub(crate) queues: u32,
    /// Interrupts of each queue.
    pub(crate) vectors: u32,
    /// Engines of the device.
    pub(crate) engines: u32,
    /// Where the device keeps its interrupt messages.
    pub(crate) store: StoreKind,
    /// How long it works.
    pub(crate) seconds: f64,
    /// What all random choices follow from.
    pub(crate) seed: u64,
    /// The largest operation.
    pub(crate) bytes: u32,
    /// Operations outstanding for each interrupt.
    pub(crate) depth: u32,
    /// What disturbs the work, each a second.
    pub(crate) disturb: Disturb,
}

/// What disturbs the work: times a second.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Disturb {
    /// Interfaces destroyed and composed anew.
    pub(crate) compose: u32,
    /// Interrupts moved to another CPU.
    pub(crate) moves: u32,
    /// Interrupts masked and unmasked.
    pub(crate) masks: u32,
    /// CPUs taken offline and back.
    pub(crate) offline: u32,
    /// Messages sent by someone who owns nothing.
    pub(crate) hostile: u32,
}

/// What runs virtual CPUs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum On {
    /// Threads of this process, which take interrupts from posted descriptors.
    Soft,
    /// KVM, whose guests take them from the APICs it has in the kernel.
    Kvm,
}

/// How the device keeps its interrupt messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum StoreKind {
    /// In one table.
    Table,
    /// Distributed over its engines.
    Engine,
    /// A copy in each engine.
    Replicated,
    /// In the images of contexts in host memory.
    Context,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            vms: 4,
            vcpus: 8,
            on: On::Soft,
            adis: 1000,
            queues: 2,
            vectors: 2,
            engines: 16,
            store: StoreKind::Table,
            seconds: 3.0,
            seed: 1,
            bytes: 4096,
            depth: 1,
            disturb: Disturb::default(),
        }
    }
}

impl Default for Disturb {
    fn default() -> Self {
        Self {
            compose: 20,
            moves: 400,
            masks: 400,
            offline: 2,
            hostile: 100,
        }
    }
}

impl On {
    /// All of them, in the order they are listed to people.
    pub(crate) const ALL: [Self; 2] = [Self::Soft, Self::Kvm];

    /// What a scenario calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Soft => "soft",
            Self::Kvm => "kvm",
        }
    }

    /// What a report calls it.
    pub(crate) fn described(self) -> &'static str {
        match self {
            Self::Soft => "soft CPUs",
            Self::Kvm => "KVM, in-kernel APICs",
        }
    }
}

impl StoreKind {
    /// All kinds, in the order they are listed to people.
    pub(crate) const ALL: [Self; 4] = [Self::Table, Self::Engine, Self::Replicated, Self::Context];

    /// What a scenario calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Engine => "engine",
            Self::Replicated => "replicated",
            Self::Context => "context",
        }
    }
}

impl Scenario {
    /// How many interrupts all interfaces have together; `u64::MAX` if more than
    /// a `u64` can say.
    pub(crate) fn interrupts(&self) -> u64 {
        u64::from(self.adis)
            .checked_mul(u64::from(self.queues))
            .and_then(|all| all.checked_mul(u64::from(self.vectors)))
            .unwrap_or(u64::MAX)
    }
}
