// SPDX-License-Identifier: Apache-2.0 OR MIT
//! From the guest's accesses to the device.

use std::fmt;
use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use ims::sink::MessageSink;
use ims_kvm::machine::{Bus, MMIO};

use crate::device::Device;
use crate::layout::mmio::INTERRUPT_STATUS;
use crate::line::Line;
use crate::memory::Memory;
use crate::mmio::Mmio;

/// MSI-X table and pending bits, from the first address of the bus on.
pub(super) const TABLE: u64 = 0x10_0000;
/// Configuration space.
pub(super) const CONFIGURATION: u64 = 0x20_0000;
/// Bytes of a block of virtio-mmio.
const MMIO_BYTES: Range<u64> = 0..0x1000;

/// What the guest's accesses reach, at offsets from the first address of the bus.
pub(super) trait Registers: Send + Sync {
    /// Reads; false if there is nothing.
    fn read(&self, offset: u64, into: &mut [u8]) -> bool;

    /// Writes; nothing happens where there is nothing.
    fn write(&self, offset: u64, from: &[u8]);

    /// Whether this is where the single interrupt's reason is read.
    fn is_status(&self, offset: u64) -> bool;
}

impl<M, D, K, L> Registers for Mmio<M, D, K, L>
where
    M: Memory,
    D: Device<M>,
    K: MessageSink + Clone + Send + Sync + 'static,
    L: Line,
{
    fn read(&self, offset: u64, into: &mut [u8]) -> bool {
        let there = MMIO_BYTES.contains(&offset);
        if there {
            Self::read(self, offset, into);
        }
        there
    }

    fn write(&self, offset: u64, from: &[u8]) {
        if MMIO_BYTES.contains(&offset) {
            Self::write(self, offset, from);
        }
    }

    fn is_status(&self, offset: u64) -> bool {
        offset == INTERRUPT_STATUS
    }
}

/// The bus, to which a device is connected once the machine is there.
#[derive(Default)]
pub(super) struct Wires {
    registers: OnceLock<Box<dyn Registers>>,
    spurious: AtomicU64,
}

impl fmt::Debug for Wires {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wires").finish_non_exhaustive()
    }
}

impl Wires {
    /// Puts a device on the bus; the first one stays.
    pub(super) fn connect(&self, registers: Box<dyn Registers>) {
        self.registers.get_or_init(|| registers);
    }

    /// How often the status read as zero.
    pub(super) fn spurious(&self) -> u64 {
        self.spurious.load(Ordering::Relaxed)
    }
}

impl Bus for Wires {
    fn read(&self, _cpu: u32, address: u64, into: &mut [u8]) {
        let offset = address.wrapping_sub(MMIO.start);
        let Some(registers) = self.registers.get() else {
            return into.fill(0xff);
        };
        if !registers.read(offset, into) {
            into.fill(0xff);
        } else if registers.is_status(offset) && into.iter().all(|byte| *byte == 0) {
            self.spurious.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn write(&self, _cpu: u32, address: u64, from: &[u8]) {
        if let Some(registers) = self.registers.get() {
            registers.write(address.wrapping_sub(MMIO.start), from);
        }
    }
}
