// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a device writes to interrupt a CPU.

/// An interrupt message: `data` written to `address`. What they mean is the
/// platform's: a local APIC's, or an entry of a remapping table's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Message {
    /// Where the device writes.
    pub address: u64,
    /// What it writes.
    pub data: u32,
}
