// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Numbers that driver and device agree on, each with its source.

pub mod block;
pub mod features;
pub mod mmio;
pub mod msi;
pub mod pci;
pub mod status;
pub mod vis;

/// The map's value for an event that has no vector, in the layouts of 32 bits.
pub const NO_VECTOR: u32 = 0xffff_ffff;
