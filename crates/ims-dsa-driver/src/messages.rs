// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a server sends by itself: interrupt messages of a device whose store this
//! driver has programmed.

use std::collections::VecDeque;

/// An interrupt message as it arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivered {
    /// Where it was written to.
    pub address: u64,
    /// What was written.
    pub data: u32,
}

/// Messages that have arrived and were not looked at.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    arrived: VecDeque<Delivered>,
}

impl Messages {
    pub(crate) fn push(&mut self, message: Delivered) {
        self.arrived.push_back(message);
    }

    pub(crate) fn pop(&mut self) -> Option<Delivered> {
        self.arrived.pop_front()
    }
}
