// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One write that tells the device to look into a queue.

use crate::registers::Registers;

/// By which one queue is notified: the part of a transport that a queue keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Doorbell<R> {
    pub(super) registers: R,
    pub(super) bar: u8,
    pub(super) offset: u64,
    pub(super) value: u16,
    pub(super) bytes: u8,
}

impl<R: Registers> Doorbell<R> {
    /// Notifies. One write.
    pub fn ring(&self) {
        self.registers
            .write(self.bar, self.offset, u64::from(self.value), self.bytes);
    }
}
