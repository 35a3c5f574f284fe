// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What engines need of the interrupt side.

use crate::client::{InterruptTable, Pasid};

/// The handle of a completion interrupt, as a descriptor carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Handle {
    /// Which table the portal chose.
    pub table: InterruptTable,
    /// The descriptor's 16 bits: an index, or what a request returned.
    pub number: u16,
}

/// A handle that was never given out, was revoked, or is another PASID's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("interrupt handle {handle:?} is not valid for this submitter; request a new one")]
pub struct InvalidHandle {
    /// The handle.
    pub handle: Handle,
}

/// The interrupts of one device.
///
/// # Concurrency
/// Called from every engine's thread. Each engine makes itself one
/// [`Interrupts::Raiser`] and keeps it on its thread, so that an implementation
/// can raise without a lock.
pub trait Interrupts: Send + Sync + 'static {
    /// What an engine's thread keeps for raising.
    type Raiser: Send;

    /// A raiser for one more thread.
    fn raiser(&self) -> Self::Raiser;

    /// Whether a descriptor of `pasid` may name `handle`. Asked before the
    /// operation is executed (5.4).
    ///
    /// # Errors
    /// [`InvalidHandle`]: the descriptor ends with status 0x19, nothing done.
    fn check(&self, handle: Handle, pasid: Option<Pasid>) -> Result<(), InvalidHandle>;

    /// Raises the interrupt of `handle` on behalf of `engine`. Called after the
    /// completion record can be seen.
    ///
    /// # Errors
    /// [`InvalidHandle`] if it was revoked since the check: the interrupt is
    /// counted as lost and reported to the device's error log.
    fn raise(
        &self,
        raiser: &mut Self::Raiser,
        engine: u32,
        handle: Handle,
        pasid: Option<Pasid>,
    ) -> Result<(), InvalidHandle>;
}
