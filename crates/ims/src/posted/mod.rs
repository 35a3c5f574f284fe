// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Posted interrupts: pending bits in memory, and a notification when the CPU
//! would not look by itself.
//!
//! ```text
//!   post(vector) ──▶ PIR bit ──▶ ON clear, not suppressed? ──▶ notification
//!                      │                                           │
//!   harvest() ◀────────┴───── CPU awake, looks by itself           ▼
//!   fall_asleep() ─▶ nothing pending ─▶ CPU sleeps ◀───────── wakes it
//! ```

mod descriptor;
mod in_service;
pub mod layout;

pub use descriptor::{Descriptor, Notification, Pending, Posted};
pub use in_service::InService;

/// Finds the descriptor that an address in an IRTE names.
///
/// What an address is, is the host's to say: the physical address of the
/// descriptor where hardware posts, a number of its own where software does.
/// It is a multiple of 64 either way.
pub trait Descriptors {
    /// The descriptor at `address`, or `None` if there is none.
    fn descriptor(&self, address: u64) -> Option<&Descriptor>;
}

impl<D: Descriptors + ?Sized> Descriptors for &D {
    fn descriptor(&self, address: u64) -> Option<&Descriptor> {
        (**self).descriptor(address)
    }
}

impl<D: Descriptors + ?Sized> Descriptors for alloc::sync::Arc<D> {
    fn descriptor(&self, address: u64) -> Option<&Descriptor> {
        (**self).descriptor(address)
    }
}
