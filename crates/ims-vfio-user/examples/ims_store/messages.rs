// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Messages on their way, and what became of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use ims::message::Message;
use ims_vfio::dma::Dma;

/// Sends messages as writes to the client's memory, and counts.
#[derive(Default)]
pub(crate) struct Messages {
    pub(crate) sent: AtomicU32,
    pub(crate) refused: AtomicU32,
    pub(crate) last_errno: AtomicI32,
    pub(crate) under_way: AtomicU32,
}

impl Messages {
    /// Sends a message; the answer is counted when it comes.
    pub(crate) fn send(self: &Arc<Self>, dma: &Dma, message: Message) {
        let Ok(session) = dma.session() else {
            // Bus mastering is off.
            return self.count(Err(rustix::io::Errno::NODEV));
        };
        self.under_way.fetch_add(1, Ordering::Relaxed);
        let counts = Arc::clone(self);
        session.interrupt(message, move |answer| {
            counts.count(answer.map_err(|error| error.errno()));
            counts.under_way.fetch_sub(1, Ordering::Release);
        });
    }

    fn count(&self, answer: Result<(), rustix::io::Errno>) {
        match answer {
            Ok(()) => {
                self.sent.fetch_add(1, Ordering::Relaxed);
            }
            Err(errno) => {
                self.last_errno
                    .store(errno.raw_os_error(), Ordering::Relaxed);
                self.refused.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    pub(crate) fn reset(&self) {
        self.sent.store(0, Ordering::Relaxed);
        self.refused.store(0, Ordering::Relaxed);
        self.last_errno.store(0, Ordering::Relaxed);
    }
}
