// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One level-triggered interrupt for everything. Source: virtio 1.3, 4.2.2 and
//! 4.1.4.5.

use ims_virtio::layout::mmio;

use crate::registers::{Registers, low};

/// What an interrupt is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cause {
    /// A queue has something.
    pub used: bool,
    /// The configuration changed.
    pub config: bool,
}

impl Cause {
    /// It may be either.
    pub const ANY: Self = Self {
        used: true,
        config: true,
    };

    fn of(status: u32) -> Self {
        Self {
            used: status & mmio::INTERRUPT_USED != 0,
            config: status & mmio::INTERRUPT_CONFIG != 0,
        }
    }
}

/// Where its reason is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    /// A register to read, and one to write what was seen.
    Mmio,
    /// A byte whose reading is the acknowledgement.
    Isr { bar: u8, offset: u64 },
}

/// The single interrupt of a device.
#[derive(Debug, Clone, Copy)]
pub struct Line<R> {
    registers: R,
    status: Status,
}

impl<R: Registers> Line<R> {
    pub(crate) fn mmio(registers: R) -> Self {
        let status = Status::Mmio;
        Self { registers, status }
    }

    pub(crate) fn pci(registers: R, bar: u8, offset: u64) -> Self {
        let status = Status::Isr { bar, offset };
        Self { registers, status }
    }

    /// Reads the reason and acknowledges it; what comes later interrupts again.
    pub fn acknowledge(&self) -> Cause {
        match self.status {
            Status::Mmio => {
                let seen = self.registers.read(0, mmio::INTERRUPT_STATUS, 4);
                if seen != 0 {
                    self.registers.write(0, mmio::INTERRUPT_ACK, seen, 4);
                }
                Cause::of(low(seen))
            }
            // The same two bits.
            Status::Isr { bar, offset } => Cause::of(low(self.registers.read(bar, offset, 1))),
        }
    }
}
