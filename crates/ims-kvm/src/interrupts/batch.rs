// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Many changes, one commit.

use std::sync::Arc;

use kvm_ioctls::VmFd;

use crate::error::CommitError;
use crate::shared::Shared;
use crate::vm::Vm;

/// While it lives, nothing is committed but by [`Batch::commit`], and by
/// [`crate::Interrupts::set_pins`]. Eventfds work: they are forwarded.
#[must_use = "a batch that is dropped leaves its changes to the forwarder"]
pub struct Batch<'a, V: Vm = VmFd>(&'a Arc<Shared<V>>);

/// What a commit did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Committed {
    /// Routes in KVM's table now, pins included.
    pub routes: usize,
    /// Eventfds that became irqfds by it.
    pub promoted: usize,
    /// Eventfds that go on being forwarded, for want of GSIs.
    pub waiting: usize,
}

impl<'a, V: Vm> Batch<'a, V> {
    pub(crate) fn new(shared: &'a Arc<Shared<V>>) -> Self {
        shared.begin();
        Self(shared)
    }

    /// Gives a route to every eventfd that wants one, as far as GSIs go: one call
    /// for all. That is those whose device wants routes ([`crate::Lines::want_routes`])
    /// and busy ones, if they are not masked.
    ///
    /// # Errors
    /// [`CommitError`]; what was an irqfd is one still, the others are forwarded, and
    /// the forwarder tries again.
    pub fn commit(self) -> Result<Committed, CommitError> {
        self.0.commit()
    }
}

impl<V: Vm> Drop for Batch<'_, V> {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl<V: Vm> std::fmt::Debug for Batch<'_, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batch").finish_non_exhaustive()
    }
}
