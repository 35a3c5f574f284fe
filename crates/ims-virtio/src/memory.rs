// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The driver's memory, for as long as it is there.

use std::sync::Arc;

use vm_memory::{GuestMemory, GuestMemoryMmap};

/// Memory that queues, buffers and shared areas are in.
///
/// # Concurrency
/// On any thread. Keep what [`Memory::enter`] gives for a piece of work, not for
/// longer: what is unmapped meanwhile is answered when it is dropped.
pub trait Memory: Clone + Send + Sync + 'static {
    /// Memory as it is at one time.
    type Session: GuestMemory + Send + Sync + 'static;

    /// The memory; `None` while the device may not touch any.
    fn enter(&self) -> Option<Arc<Self::Session>>;
}

/// A VMM's own, which never goes.
impl Memory for Arc<GuestMemoryMmap<()>> {
    type Session = GuestMemoryMmap<()>;

    fn enter(&self) -> Option<Arc<Self::Session>> {
        Some(Self::clone(self))
    }
}
