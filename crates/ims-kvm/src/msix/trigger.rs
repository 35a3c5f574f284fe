// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a device raises one vector with.

use ims::domain::{Counts, Raised};
use ims::msix::MsixPort;
use kvm_ioctls::VmFd;

use crate::signal::Signal;
use crate::vm::Vm;

/// Raises one vector, from any thread: one `KVM_SIGNAL_MSI`, or the pending bit
/// while the guest has it masked. A clone raises the same vector.
///
/// One that outlives its [`crate::MsixDevice`] sends nothing any more.
#[derive(Debug)]
pub struct Trigger<V = VmFd> {
    port: MsixPort<Signal<V>>,
    vector: u16,
}

/// The device has no such vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("vector {vector} of {vectors}; ask for one that the device has")]
pub struct NoSuchVector {
    /// The vector asked for.
    pub vector: u16,
    /// How many there are.
    pub vectors: u16,
}

impl<V> Clone for Trigger<V> {
    fn clone(&self) -> Self {
        Self {
            port: self.port.clone(),
            vector: self.vector,
        }
    }
}

impl<V: Vm> Trigger<V> {
    pub(super) fn new(port: MsixPort<Signal<V>>, vector: u16) -> Self {
        Self { port, vector }
    }

    /// Raises the vector. What the caller wrote to guest memory before is visible to
    /// the guest's handler.
    #[inline]
    pub fn raise(&self) -> Raised {
        self.port.raise(self.vector)
    }

    /// Which vector it is.
    pub fn vector(&self) -> u16 {
        self.vector
    }

    /// Whether a raise is kept until the guest unmasks.
    pub fn is_pending(&self) -> bool {
        self.port.is_pending(self.vector)
    }

    /// What became of the vector's raises, those of other clones and those forwarded
    /// from its eventfd included. What KVM takes from an irqfd itself is not seen.
    pub fn counts(&self) -> Counts {
        self.port.counts(self.vector).unwrap_or_default()
    }
}
