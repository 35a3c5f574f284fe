// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Interrupt remapping.

/// Why the remap unit blocked a request (VT-d 5.1.4.1 fault reasons).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
#[non_exhaustive]
#[repr(u8)]
pub enum FaultReason {
    /// The entry is not present.
    #[error("22h: the entry is not present")]
    NotPresent = 0x22,
}
