// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Interrupt messages as writes to the client.

use std::sync::atomic::{AtomicU64, Ordering};

use ims::message::{Message, RequesterId};
use ims::sink::{Acceptance, Answer, MessageSink, Refusal};
use ims_vfio::dma::{Dma, DmaError};

/// Sends messages to the client that has the function, as writes without an answer.
///
/// While bus mastering is off it is busy: who sends keeps what it has, and the
/// function has that sent when bus mastering goes on.
#[derive(Debug)]
pub struct ClientMessages {
    dma: Dma,
    sent: AtomicU64,
    failed: AtomicU64,
}

impl ClientMessages {
    pub(super) fn new(dma: Dma) -> Self {
        Self {
            dma,
            sent: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        }
    }

    /// Messages sent.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Messages that nobody was there for, or that could not be sent.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }
}

impl MessageSink for ClientMessages {
    fn send(&self, _: RequesterId, message: Message) -> Answer {
        let session = self.dma.session();
        match session.and_then(|session| session.post_interrupt(message)) {
            Ok(()) => {
                self.sent.fetch_add(1, Ordering::Relaxed);
                Answer::Accepted(Acceptance::HandedOver)
            }
            Err(DmaError::Blocked | DmaError::Ended) => Answer::Busy,
            Err(error) => {
                self.failed.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(%error, "an interrupt message was not sent");
                Answer::Refused(Refusal::Gone)
            }
        }
    }

    fn ready(&self, _: RequesterId, _: Message) -> bool {
        self.dma.session().is_ok()
    }
}
