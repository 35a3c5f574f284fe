// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What there is to say of IMS-backed vectors.

use ims::vector::CpuId;
use ims_host::IrqCounts;

/// What there is to say of an IMS-backed vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BackedReport {
    /// Whether it has a trigger.
    pub triggered: bool,
    /// Whether it is masked.
    pub masked: bool,
    /// Whether an interrupt is kept.
    pub pending: bool,
    /// The host's interrupt behind it, unless its handle is revoked.
    pub slot: Option<SlotReport>,
}

/// What there is to say of the host's interrupt behind a vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotReport {
    /// Its index in its domain.
    pub index: u32,
    /// The CPU that takes it, and its vector there.
    pub target: Option<(CpuId, u8)>,
    /// What happened to it since it was allocated.
    pub counts: IrqCounts,
}
