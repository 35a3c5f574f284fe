// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A guest's MSI-X: the plain model of a guest's store, with a function's control and
//! its pending-bit array.

use std::vec::Vec;

use crate::guest::tests::model::Model as Entries;

#[derive(Debug, Clone)]
pub(super) struct Model {
    /// Enabled if MSI-X is, and the function is not masked.
    pub(super) entries: Entries,
    pub(super) enabled: bool,
    pub(super) function_masked: bool,
}

impl Model {
    pub(super) fn new(vectors: usize) -> Self {
        Self {
            entries: Entries::new(vectors),
            enabled: false,
            function_masked: false,
        }
    }

    pub(super) fn write_config(&mut self, offset: u16, bytes: &[u8]) {
        for (at, byte) in (offset..).zip(bytes) {
            if at == 3 {
                self.enabled = byte & 0x80 != 0;
                self.function_masked = byte & 0x40 != 0;
                self.entries
                    .set_enabled(self.enabled && !self.function_masked);
            }
        }
    }

    pub(super) fn pba(&self) -> Vec<u8> {
        let pending = &self.entries.pending;
        let mut bytes = vec![0; pending.len().div_ceil(64) * 8];
        for (vector, pending) in pending.iter().enumerate() {
            bytes[vector / 8] |= u8::from(*pending) << (vector % 8);
        }
        bytes
    }

    pub(super) fn reset(&mut self) {
        self.entries.reset();
        (self.enabled, self.function_masked) = (false, false);
    }

    /// Takes over what the guest sees of `saved`.
    pub(super) fn restore(&mut self, saved: &Self) {
        self.entries.restore(&saved.entries);
        (self.enabled, self.function_masked) = (saved.enabled, saved.function_masked);
    }
}
