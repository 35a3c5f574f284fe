// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What became of one interrupt's raises.
//!
//! Of each raise one of these becomes true: it was delivered, refused, held and
//! later one of the others, or coalesced with one that is held.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use ims_vfio::dma::DmaError;

/// Why an interrupt did not reach the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The client has set no eventfd for the vector.
    #[error("the client has set no trigger for this vector")]
    NoTrigger,
    /// The message was not sent, or the client refused it.
    #[error(transparent)]
    Message(DmaError),
}

/// The counters of one interrupt.
#[derive(Debug, Default)]
pub(super) struct Counts {
    raised: AtomicU64,
    delivered: AtomicU64,
    coalesced: AtomicU64,
    held: AtomicU64,
    refused: AtomicU64,
    last_refusal: Mutex<Option<Refusal>>,
}

/// What they held when they were read. Read while engines work, the numbers are
/// each right but not of one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Raises {
    /// How often it was raised.
    pub raised: u64,
    /// How many reached the client: a message it acknowledged, an eventfd signalled.
    pub delivered: u64,
    /// How many met one that was held, and became one interrupt with it.
    pub coalesced: u64,
    /// How many were held because the entry was masked.
    pub held: u64,
    /// How many did not reach the client.
    pub refused: u64,
    /// Why the last of these did not.
    pub last_refusal: Option<Refusal>,
}

fn one(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Counts {
    pub(super) fn raised(&self) {
        one(&self.raised);
    }

    /// A raise met a mask; `again` if one was held already.
    pub(super) fn held(&self, again: bool) {
        one(if again { &self.coalesced } else { &self.held });
    }

    /// How the client took it.
    pub(super) fn ended(&self, end: Result<(), Refusal>) {
        match end {
            Ok(()) => one(&self.delivered),
            Err(refusal) => {
                let last = &self.last_refusal;
                *last.lock().unwrap_or_else(PoisonError::into_inner) = Some(refusal);
                one(&self.refused);
            }
        }
    }

    pub(super) fn read(&self) -> Raises {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let last = &self.last_refusal;
        Raises {
            raised: get(&self.raised),
            delivered: get(&self.delivered),
            coalesced: get(&self.coalesced),
            held: get(&self.held),
            refused: get(&self.refused),
            last_refusal: *last.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }
}
