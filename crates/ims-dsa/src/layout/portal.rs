// SPDX-License-Identifier: Apache-2.0 OR MIT
//! BAR 2: four portals a queue, a page each (9.3).

/// Bytes of a portal.
pub const PORTAL_SIZE: u64 = 0x1000;
/// Bytes of a queue's portals.
pub const QUEUE_PORTALS_SIZE: u64 = 4 * PORTAL_SIZE;

/// Bit 0 of the page within the queue: the portal is limited.
pub const PORTAL_LIMITED: u64 = 1 << 0;
/// Bit 1 of the page within the queue: handles are of the Interrupt Message Store.
pub const PORTAL_IMS: u64 = 1 << 1;
