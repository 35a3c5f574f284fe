// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Where a guest's messages go: they are written down.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::vec::Vec;

use crate::message::{Message, RequesterId};
use crate::sink::{Acceptance, Answer, MessageSink};

/// Who sends them.
pub(crate) const REQUESTER: RequesterId = RequesterId(0x1a8);

/// Takes every message, unless it is busy.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    sent: Mutex<Vec<Message>>,
    pub(crate) busy: AtomicBool,
}

impl MessageSink for Recorder {
    fn send(&self, requester: RequesterId, message: Message) -> Answer {
        assert_eq!(requester, REQUESTER);
        if self.busy.load(Ordering::SeqCst) {
            return Answer::Busy;
        }
        self.sent.lock().unwrap().push(message);
        Answer::Accepted(Acceptance::Fresh)
    }

    fn ready(&self, _requester: RequesterId, _message: Message) -> bool {
        !self.busy.load(Ordering::SeqCst)
    }
}

impl Recorder {
    /// What was sent since the last time.
    pub(crate) fn taken(&self) -> Vec<Message> {
        core::mem::take(&mut self.sent.lock().unwrap())
    }
}
