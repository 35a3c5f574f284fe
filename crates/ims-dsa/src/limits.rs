// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a device and its queues allow: parameters, not constants.

use crate::layout::OperationSet;

/// Optional behaviour of the whole device, as GENCAP (9.2.2) advertises it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// A memory move's source and destination may overlap.
    pub overlapping_copy: bool,
    /// The cache control flag is allowed in operations that write (GENCAP bit 2;
    /// it is a hint without effect here).
    pub cache_control: bool,
    /// The cache control flag is allowed in a cache flush (GENCAP bit 3; without
    /// effect here too).
    pub flush_cache_control: bool,
    /// The readback flag is allowed (writes here are visible without it).
    pub readback: bool,
    /// A batch may have one descriptor only.
    pub batch_of_one: bool,
}

impl Default for Capabilities {
    fn default() -> Self {
        Self {
            overlapping_copy: true,
            cache_control: true,
            flush_cache_control: true,
            readback: true,
            batch_of_one: false,
        }
    }
}

/// What descriptors of one queue may ask for, as WQCFG (9.2.24) says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// log2 of the largest transfer in bytes, at most 31.
    pub max_transfer_shift: u8,
    /// log2 of the largest batch in descriptors, at most 15.
    pub max_batch_shift: u8,
    /// Which operations it accepts.
    pub operations: OperationSet,
    /// The block-on-fault flag is allowed (WQCFG +8, bit 1): a page fault is waited
    /// for, if the submitter's memory can be waited for.
    pub block_on_fault: bool,
}

impl Limits {
    /// The largest transfer in bytes.
    pub fn max_transfer(&self) -> u32 {
        1u32.checked_shl(self.max_transfer_shift.into())
            .unwrap_or(0)
    }

    /// The largest batch in descriptors.
    pub fn max_batch(&self) -> u32 {
        1u32.checked_shl(self.max_batch_shift.into()).unwrap_or(0)
    }
}

impl Default for Limits {
    /// 2 GiB a transfer, 1024 descriptors a batch, every operation, no waiting for
    /// pages.
    fn default() -> Self {
        Self {
            max_transfer_shift: 31,
            max_batch_shift: 10,
            operations: OperationSet::ALL,
            block_on_fault: false,
        }
    }
}
