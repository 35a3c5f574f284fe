// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The slot of a store that a guest programs: [`crate::store::layout`] as far as a
//! guest has to do with it.
//!
//! | offset | field |
//! |---|---|
//! | +0 | address, 64 bits |
//! | +8 | data, 32 bits |
//! | +12 | control: 0 mask, 1 pending (read only); the rest reads as zero |
//!
//! A driver writes address and data, and control last; before it rewrites them it
//! sets the mask. Each aligned dword or qword takes effect as a whole.
//!
//! Source: Intel DSA specification, IMS table; Linux `irq-ims-msi`.

pub use crate::store::layout::{MASK, PENDING, SLOT_BYTES};

/// The most slots a store can have: a directory of 128 KiB, and 64 MiB once all
/// were touched.
pub const MAX_SLOTS: u32 = 1 << 20;
