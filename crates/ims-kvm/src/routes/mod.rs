// SPDX-License-Identifier: Apache-2.0 OR MIT
//! KVM's route table: one for the VM, replaced whole with each change.
//!
//! ```text
//!   Inbox  lines that want a route, lines that are gone      any thread, a short lock
//!     │
//!     ▼    Pace says when, or a batch now
//!   Table  GSIs to lines; one KVM_SET_GSI_ROUTING a round    one thread at a time
//!     │
//!     ▼    Clock, if there are more busy lines than GSIs
//!   lines whose route stands: each is attached under its own lock
//! ```

mod clock;
mod inbox;
mod pace;
mod pins;
mod repin;
mod round;
mod table;

pub(crate) use inbox::Inbox;
pub(crate) use pins::Pinned;
pub(crate) use table::Table;
