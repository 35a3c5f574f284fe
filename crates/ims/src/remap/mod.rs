// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Interrupt remapping (VT-d chapter 5): a table of entries, each owned by one
//! requester and leading to one target, between a device and its CPU.
//!
//! ```text
//!   Control (&mut)                                 Unit (&, any thread)
//!   allocate · bind · retarget ─▶ table of ─▶ present? owner? ─▶ CPU sink
//!   clear · release              entries          │           └▶ posted descriptor
//!         └▶ invalidate                           └ no ─▶ FaultLog, refused
//! ```
//!
//! The same control half writes a table that the software [`Unit`] reads
//! ([`PairTable`]) and one that real hardware reads ([`WholeTable`]). A table that
//! somebody else programs, as a guest does in its own memory, has a [`Foreign`] in
//! its place, which has modes and faults and leaves entries alone.
//!
//! # Where the specification leaves a choice
//! - The requester is checked before reserved bits (26h before 24h), but the
//!   reserved value of SVT, under which no requester can be checked, is 24h.
//! - Reserved delivery modes are 24h. So are, in xAPIC mode, bits of DST beside
//!   the APIC id.
//! - A present entry's level bit has no meaning to a CPU sink, which takes edges.
//! - A posted descriptor of this crate cannot have reserved bits set: 28h is for
//!   units that post into memory of somebody else's.
//! - With remapping off, a remappable message is refused as malformed rather
//!   than read as if its handle were a destination.

mod control;
mod control_error;
mod entry;
mod fault;
pub mod fault_layout;
mod foreign;
mod invalidate;
pub mod layout;
mod modes;
mod pair;
mod reason;
mod source;
mod table;
mod unit;
#[cfg(not(loom))]
mod whole;

pub use control::Control;
pub use control_error::ControlError;
pub use entry::{ApicMode, Entry, EntryError, Irte, Target};
pub use fault::{Fault, FaultCounts, FaultLog};
pub use foreign::Foreign;
pub use invalidate::{Invalidate, InvalidateError, NoInvalidate};
pub use modes::Modes;
pub use pair::PairTable;
pub use reason::FaultReason;
pub use source::{Qualifier, Source};
pub use table::{EntryMemory, TableError};
pub use unit::Unit;
#[cfg(not(loom))]
pub use whole::WholeTable;

#[cfg(all(test, loom))]
mod model_checks;
#[cfg(all(test, not(loom)))]
mod tests;

/// What control and data half of one unit have in common.
#[derive(Debug)]
struct Shared<M> {
    memory: M,
    modes: modes::SharedModes,
    faults: FaultLog,
}
