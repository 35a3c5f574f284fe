// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The control protocol: every request, every answer, one JSON object a line.
//!
//! A server ignores fields it does not know, so that a newer client may say more;
//! a request it does not know is refused.

use serde::{Deserialize, Serialize};

use super::name::Name;

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case")]
pub(crate) enum Request {
    /// Compose a virtual device and serve it.
    Create(Create),
    /// Disconnect its client, give back what it has.
    Destroy {
        /// Which.
        name: Name,
    },
    /// What there is.
    List,
    /// One device, with how to attach it.
    Show {
        /// Which.
        name: Name,
    },
    /// Take back the interrupt handles of a device.
    Revoke {
        /// Which.
        name: Name,
    },
    /// What every device's vectors counted.
    Stat,
}

/// The virtual device that is asked for; what is left out is as the server was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Create {
    /// What it will be called.
    pub(crate) name: Name,
    /// MSI-X vectors: one emulated, the others of the parent's IMS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) vectors: Option<u32>,
    /// Descriptors its queue holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) queue_size: Option<u32>,
    /// Its queue's share of the engines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) priority: Option<u32>,
}

/// What the server answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub(crate) enum Answer {
    /// It is served.
    Created(Shown),
    /// It is no more.
    Destroyed {
        /// Which.
        name: Name,
        /// Whether its work had ended when this was said; if not, it will.
        quiet: bool,
    },
    /// What there is.
    Devices {
        /// By name.
        devices: Vec<Summary>,
    },
    /// One device.
    Shown(Shown),
    /// Its handles are no longer valid; its driver was told.
    Revoked {
        /// Whose.
        name: Name,
        /// How many.
        handles: u32,
    },
    /// What was counted.
    Statistics(Statistics),
    /// It was not done.
    Refused(Refusal),
}

/// Why a request was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Refusal {
    /// For programs.
    pub(crate) reason: Reason,
    /// For people: the device, the client and the remedy.
    pub(crate) message: String,
}

/// Why a request was not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Reason {
    /// The line is no request.
    Malformed,
    /// The line is too long.
    TooLong,
    /// The client may not.
    NotPermitted,
    /// There is no such device.
    NoSuchDevice,
    /// The name is taken.
    NameTaken,
    /// The device is not of the kind for this.
    WrongKind,
    /// A value is out of range.
    OutOfRange,
    /// Something is used up.
    Exhausted,
    /// The system refused.
    System,
}

/// What kind a device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// A physical function of its own; its client owns engines, queues and store.
    Physical,
    /// A virtual device; one queue on the engines that all of them share.
    Virtual,
}

impl Kind {
    /// What people call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Physical => "physical",
            Self::Virtual => "virtual",
        }
    }
}

/// A device in a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Summary {
    /// What it is called.
    pub(crate) name: Name,
    /// What it is.
    pub(crate) kind: Kind,
    /// Where clients attach.
    pub(crate) socket: String,
    /// Of GENSTS, or what else keeps it from working.
    pub(crate) state: String,
    /// Maps of the client's memory; zero without a client.
    pub(crate) maps: u64,
    /// MSI-X vectors it shows.
    pub(crate) vectors: u32,
    /// The PASID of a virtual device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pasid: Option<u32>,
}

/// A device, and how to attach it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Shown {
    /// The device.
    #[serde(flatten)]
    pub(crate) device: Summary,
    /// QEMU's arguments for this device alone.
    pub(crate) qemu: Vec<String>,
    /// QEMU's arguments once for each machine.
    pub(crate) machine: Vec<String>,
    /// What the guest needs.
    pub(crate) guest: Vec<String>,
}

/// What all devices counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Statistics {
    /// The device virtual ones are composed on, if it was needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) parent: Option<ParentStatistics>,
    /// By name.
    pub(crate) devices: Vec<DeviceStatistics>,
}

/// What is left of the device that virtual ones are composed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct ParentStatistics {
    /// Virtual devices.
    pub(crate) interfaces: u32,
    /// Engines, each a thread.
    pub(crate) engines: u32,
    /// CPUs that take interrupts, each a thread.
    pub(crate) cpus: u32,
    /// Entries of the Interrupt Message Store.
    pub(crate) ims_entries: u32,
    /// Entries in use.
    pub(crate) ims_used: u32,
}

/// What a device counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct DeviceStatistics {
    /// The device.
    #[serde(flatten)]
    pub(crate) device: Summary,
    /// Errors that no completion record told.
    pub(crate) errors: u64,
    /// Its queues, those of a physical function only if they were ever used.
    pub(crate) queues: Vec<QueueStatistics>,
    /// Vectors that were ever used.
    pub(crate) interrupts: Vec<VectorStatistics>,
}

/// What a queue counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct QueueStatistics {
    /// Its number.
    pub(crate) queue: u32,
    /// Whether it takes descriptors.
    pub(crate) enabled: bool,
    /// Descriptors that wait in it.
    pub(crate) waiting: u64,
    /// Descriptors taken.
    pub(crate) submitted: u64,
    /// Descriptors not taken: it was full, or disabled.
    pub(crate) refused: u64,
    /// Descriptors ended, where they are counted by queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) completed: Option<u64>,
}

/// What an interrupt vector counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct VectorStatistics {
    /// `emulated`, `msi-x`, `ims`: what stands behind it.
    pub(crate) kind: String,
    /// Its number: of an MSI-X vector; of an entry where the client programs those.
    pub(crate) vector: u32,
    /// The entry of the Interrupt Message Store, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) index: Option<u32>,
    /// The interrupt handle, where its driver asked for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) handle: Option<u32>,
    /// Where it goes, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) target: Option<String>,
    /// Whether it is masked.
    pub(crate) masked: bool,
    /// Whether one is kept for later.
    pub(crate) pending: bool,
    /// Attempts to raise it.
    pub(crate) raised: u64,
    /// Delivered to who takes it.
    pub(crate) delivered: u64,
    /// Met one that was pending already.
    pub(crate) coalesced: u64,
    /// Kept for a while, by a mask.
    pub(crate) held: u64,
    /// Refused on its way.
    pub(crate) faulted: u64,
    /// Lost with its trigger or its entry.
    pub(crate) dropped: u64,
    /// Why the last was refused, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last_fault: Option<String>,
}

#[cfg(test)]
mod tests;
