// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a server sends by itself: interrupt messages of a device whose store this
//! driver has programmed.

/// An interrupt message as it arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivered {
    /// Where it was written to.
    pub address: u64,
    /// What was written.
    pub data: u32,
}
