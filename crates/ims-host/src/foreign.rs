// SPDX-License-Identifier: Apache-2.0 OR MIT
//! CPUs that somebody else runs: a hypervisor's virtual CPUs.
//!
//! ```text
//!    remap unit ──▶ ForeignCpus::deliver ──▶ the CPU, wherever it runs
//!                                               │ its handler took the vector
//!    handler of the interrupt ◀── Takes::take ◀─┘
//! ```

use ims::message::DeliveryMode;
use ims::sink::Answer;
use ims::vector::CpuId;

/// The CPUs of a space whose threads are not the host's. CPUs have their numbers in
/// the space.
///
/// Each vector that was accepted as [`ims::sink::Acceptance::Fresh`] must come back
/// through [`crate::Takes::take`] once; one accepted as coalesced must not. An
/// implementation that cannot know which it was answers
/// [`ims::sink::Acceptance::HandedOver`].
///
/// # Concurrency
/// Called from any thread, many at once, also on the threads that take. Must not
/// wait for a handler.
pub trait ForeignCpus: Send + Sync {
    /// Delivers `vector` to `cpu`. The mode is fixed or lowest priority.
    fn deliver(&self, cpu: CpuId, vector: u8, mode: DeliveryMode) -> Answer;

    /// Whether nothing that was delivered to `vector` of `cpu` before this call is
    /// still pending there or being handled. May say no although it is so, but not
    /// for ever.
    fn is_quiet(&self, cpu: CpuId, vector: u8) -> bool;
}

#[cfg(test)]
mod tests;
