// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Feature bits, 32 at a time.

use crate::layout::features::VERSION_1;

/// What is offered, and what the driver wrote.
#[derive(Debug)]
pub(super) struct Features {
    offered: u64,
    pub(super) device_sel: u32,
    pub(super) driver_sel: u32,
    written: u64,
    /// The driver wrote a bit above 63, which nobody offered.
    beyond: bool,
}

impl Features {
    pub(super) fn new(offered: u64) -> Self {
        Self {
            offered: offered | VERSION_1,
            device_sel: 0,
            driver_sel: 0,
            written: 0,
            beyond: false,
        }
    }

    pub(super) fn offered(&self) -> u64 {
        self.offered
    }

    pub(super) fn device(&self) -> u32 {
        word(self.offered, self.device_sel)
    }

    pub(super) fn driver(&self) -> u32 {
        word(self.written, self.driver_sel)
    }

    pub(super) fn set_driver(&mut self, bits: u32) {
        let (shift, other) = match self.driver_sel {
            0 => (0, self.written & !u64::from(u32::MAX)),
            1 => (32, self.written & u64::from(u32::MAX)),
            _ => {
                self.beyond |= bits != 0;
                return;
            }
        };
        self.written = other | u64::from(bits) << shift;
    }

    /// Whether the device works with what the driver wrote.
    pub(super) fn agree(&self) -> bool {
        self.written & !self.offered == 0 && self.written & VERSION_1 != 0 && !self.beyond
    }

    pub(super) fn accepted(&self) -> u64 {
        self.written & self.offered
    }

    pub(super) fn reset(&mut self) {
        *self = Self::new(self.offered);
    }

    /// Written bits, and whether there were some above 63.
    pub(super) fn written(&self) -> (u64, bool) {
        (self.written, self.beyond)
    }

    pub(super) fn restore(&mut self, device_sel: u32, driver_sel: u32, written: (u64, bool)) {
        (self.device_sel, self.driver_sel) = (device_sel, driver_sel);
        (self.written, self.beyond) = written;
    }
}

#[allow(clippy::cast_possible_truncation, reason = "32 bits are wanted")]
fn word(bits: u64, sel: u32) -> u32 {
    match sel {
        0 => bits as u32,
        1 => (bits >> 32) as u32,
        _ => 0,
    }
}
