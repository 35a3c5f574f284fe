// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What lies where in BAR 0 and BAR 2. Places are ours to choose: software finds
//! them in OFFSETS and in the MSI-X capability.

use super::parameters::Parameters;
use crate::layout::portal::QUEUE_PORTALS_SIZE;
use crate::layout::tables::IMS_ENTRY_SIZE;

/// Group configuration: 16 groups of 64 bytes at most.
pub const GROUP_CONFIG: u64 = 0x400;
/// Queue configuration: 128 queues of 64 bytes at most.
pub const QUEUE_CONFIG: u64 = 0x1000;
/// MSI-X permissions: 2048 of 8 bytes at most.
pub const MSIX_PERMISSIONS: u64 = 0x4000;
/// The MSI-X table: 2048 entries of 16 bytes at most.
pub const MSIX_TABLE: u64 = 0x8000;
/// The MSI-X pending bits.
pub const MSIX_PENDING: u64 = 0x1_0000;
/// The Interrupt Message Store, up to the end.
pub const IMS: u64 = 0x1_1000;

/// Bytes of BAR 0: a power of two.
pub fn registers_size(parameters: &Parameters) -> u64 {
    let end = IMS + u64::from(parameters.ims_entries) * IMS_ENTRY_SIZE;
    end.next_power_of_two()
}

/// Bytes of BAR 2: a power of two.
pub fn portals_size(parameters: &Parameters) -> u64 {
    (u64::from(parameters.queues) * QUEUE_PORTALS_SIZE).next_power_of_two()
}
