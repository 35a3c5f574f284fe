// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A device's interrupts: MSI-X and IMS domains side by side, and everything an
//! interrupt is given on its way through them.
//!
//! ```text
//!    Hierarchy (&mut)                                     Port (&), Dispatch (&)
//!    alloc ── index, slot, vector held                    raise(index)
//!    activate ── vector, remap entry, message, unmask         │
//!    mask · unmask ── what was kept is delivered              ▼
//!    set_affinity ── one entry rewritten                  virq(cpu, vector)
//!    free ── cleared; given back when nobody can meet it
//!    settle ── the two waits: raisers have left, the old target is quiet
//! ```
//!
//! Allocation gives a token with a generation; a token whose interrupt was freed
//! is an error. An error undoes the whole request.

mod affinity;
mod allocate;
mod backing;
mod chunks;
mod device;
mod entry;
mod error;
mod free;
mod group;
mod hierarchy;
mod hotplug;
mod index;
mod lifecycle;
mod moves;
mod port;
#[cfg(all(test, not(loom)))]
mod port_tests;
mod record;
mod retire;
mod settle;
mod shutdown;
mod space;
#[cfg(all(test, not(loom)))]
mod tests;

pub use affinity::Affinity;
pub use allocate::Request;
pub use device::{DeviceId, DomainConfig, DomainId, Kind, MSIX_VECTORS, Path, Removed};
pub use entry::Interrupt;
pub use error::DomainError;
pub use free::Freed;
pub use group::GroupId;
pub use hierarchy::{Hierarchy, UnitId};
pub use hotplug::Evacuated;
pub use index::IndexPool;
pub use lifecycle::{Activated, Location};
pub use moves::Moved;
pub use port::{Port, Raised};
pub use record::Counts;
pub(crate) use record::Record;
pub use space::{Cpus, Dispatch, Reach, SpaceId, Virq};

use hierarchy::DomainKey;
