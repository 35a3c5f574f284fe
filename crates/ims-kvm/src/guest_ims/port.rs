// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the device raises its slots with.

use std::fmt;

use ims::domain::{Counts, Raised};
use ims::guest::Port;
use ims::message::{Message, RequesterId};
use kvm_ioctls::VmFd;

use super::remap::{GuestRemap, GuestUnit};
use crate::lines::Target;
use crate::vm::Vm;

/// Raises the slots of one device. A clone is the same.
///
/// # Concurrency
/// Any number of threads; no lock. What the guest's sync waits for is a raise that
/// has begun.
pub struct GuestPort<V: Vm = VmFd> {
    port: Port<GuestUnit<V>>,
    remap: GuestRemap<V>,
}

impl<V: Vm> Clone for GuestPort<V> {
    fn clone(&self) -> Self {
        Self {
            port: self.port.clone(),
            remap: self.remap.clone(),
        }
    }
}

impl<V: Vm> fmt::Debug for GuestPort<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuestPort")
            .field("requester", &self.requester())
            .field("slots", &self.port.count())
            .finish_non_exhaustive()
    }
}

impl<V: Vm> GuestPort<V> {
    pub(super) fn new(port: Port<GuestUnit<V>>, remap: GuestRemap<V>) -> Self {
        Self { port, remap }
    }

    /// Raises a slot. What the caller wrote before is visible to the guest's handler.
    pub fn raise(&self, slot: u32) -> Raised {
        let _visit = self.remap.enter();
        self.port.raise(slot)
    }

    /// Whether a slot's interrupt is owed.
    pub fn is_pending(&self, slot: u32) -> bool {
        self.port.is_pending(slot)
    }

    /// What happened to a slot; `None` if there is none.
    pub fn counts(&self, slot: u32) -> Option<Counts> {
        self.port.counts(slot)
    }

    /// Raises that named no slot.
    pub fn strays(&self) -> u64 {
        self.port.strays()
    }

    /// Who the device is to the remap unit.
    pub fn requester(&self) -> RequesterId {
        self.port.requester()
    }
}

impl<V: Vm> Target for GuestPort<V> {
    fn raise(&self, index: u32) {
        // Kept, sent or refused: it is counted, and a fault recorded.
        let _ = Self::raise(self, index);
    }

    /// None: the guest changes its entries in its memory, unseen, so that a route
    /// could outlive the right to it.
    fn message(&self, _index: u32) -> Option<(RequesterId, Message)> {
        None
    }
}
