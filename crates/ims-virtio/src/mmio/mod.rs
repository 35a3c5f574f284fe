// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The transport virtio-mmio, version 2: with its single interrupt, and offering MSI
//! and VIS beside it.
//!
//! ```text
//!    0x000 ── QueueNotify, InterruptStatus, InterruptACK      no lock
//!          ── all other registers ──▶ Control                 one lock
//!    0x100 ── the device's configuration                      the same
//!    0x1000 ─ notifications, if their offsets are so          no lock
//! ```
//!
//! Registers are read and written by aligned 32 bits; another access reads as zero, and
//! is ignored. So are accesses to what is no register.

mod control;
mod notifications;
mod offers;
mod options;
mod state;
#[cfg(all(test, not(loom)))]
mod tests;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ims::sink::MessageSink;
use ims_vfio::Hold;

use crate::device::Device;
use crate::interrupts::Ways;
use crate::interrupts::msi::MsiPort;
pub use crate::interrupts::{Mode, msi};
use crate::layout::mmio;
use crate::line::Line;
use crate::memory::Memory;
use crate::notifier::Notifier;
use crate::vis::VisPort;
use control::Control;
use notifications::Notifications;
pub use options::{MmioOptions, NewError};
pub use state::{MmioState, RestoreError};

/// Bytes of registers and configuration; notifications may be behind them.
pub const PAGE: u64 = 0x1000;

/// The ways of a virtio-mmio device.
type MmioWays<M, K, L> = Ways<Option<MsiPort<K>>, Option<VisPort<M, K>>, L>;

/// A device as virtio-mmio shows it.
///
/// # Concurrency
/// On any thread. The lock is held while the device is asked for its configuration,
/// started or stopped, and while a command of MSI or VIS is done: sink and line must
/// not access registers. Messages that a command lets go are sent inside it.
pub struct Mmio<M, D, K, L> {
    device: Arc<D>,
    vendor: u32,
    notifications: Notifications,
    ways: Arc<MmioWays<M, K, L>>,
    control: Mutex<Control<M, D, K, L>>,
}

impl<M, D, K, L> fmt::Debug for Mmio<M, D, K, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mmio").finish_non_exhaustive()
    }
}

impl<M, D, K, L> Mmio<M, D, K, L>
where
    M: Memory,
    D: Device<M>,
    K: MessageSink + Clone + Send + Sync + 'static,
    L: Line,
{
    /// A device in reset state. Messages go to `sink`: the guest's own way (its remap
    /// unit), never the host's.
    ///
    /// # Errors
    /// [`NewError`]: no driver could use it, or what is offered does not go together.
    pub fn new(
        device: Arc<D>,
        memory: M,
        sink: K,
        line: L,
        options: MmioOptions,
    ) -> Result<Self, NewError> {
        options.check(device.features())?;
        let notifications = Notifications::new(&*device, &options)?;
        let vendor = options.vendor;
        let control = Control::new(Arc::clone(&device), memory, sink, line, &options)?;
        Ok(Self {
            device,
            vendor,
            notifications,
            ways: Arc::clone(&control.ways),
            control: Mutex::new(control),
        })
    }

    fn control(&self) -> MutexGuard<'_, Control<M, D, K, L>> {
        // A device that panicked has left nothing half done here.
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes that registers, configuration and notifications take.
    pub fn bytes(&self) -> u64 {
        self.notifications.end().max(PAGE)
    }

    /// The driver reads.
    pub fn read(&self, offset: u64, into: &mut [u8]) {
        into.fill(0);
        if offset >= mmio::CONFIG {
            let left = PAGE.saturating_sub(offset);
            let length = usize::try_from(left).map_or(into.len(), |left| left.min(into.len()));
            if let Some(into) = into.get_mut(..length)
                && !into.is_empty()
            {
                let control = self.control();
                control.read_config(offset.saturating_sub(mmio::CONFIG), into);
            }
        } else if let Ok(into) = <&mut [u8; 4]>::try_from(into)
            && offset.is_multiple_of(4)
        {
            *into = self.read_register(offset).to_le_bytes();
        }
    }

    fn read_register(&self, offset: u64) -> u32 {
        match offset {
            mmio::MAGIC => mmio::MAGIC_VALUE,
            mmio::VERSION => mmio::VERSION_VALUE,
            mmio::DEVICE_ID => self.device.id(),
            mmio::VENDOR_ID => self.vendor,
            mmio::QUEUE_NOTIFY => self.notifications.value(),
            mmio::INTERRUPT_STATUS => self.ways.status(),
            _ => self.control().read(offset),
        }
    }

    /// The driver writes. What a command does is done when this returns.
    pub fn write(&self, offset: u64, from: &[u8]) {
        if let Ok(from) = <[u8; 4]>::try_from(from)
            && offset.is_multiple_of(4)
            && self.write_unlocked(offset, u32::from_le_bytes(from))
        {
            return;
        }
        if offset >= mmio::CONFIG {
            let left = usize::try_from(PAGE.saturating_sub(offset)).unwrap_or(usize::MAX);
            let from = from.get(..left).unwrap_or(from);
            if !from.is_empty() {
                let mut control = self.control();
                control.write_config(offset.saturating_sub(mmio::CONFIG), from);
            }
        } else if let Ok(from) = <[u8; 4]>::try_from(from)
            && offset.is_multiple_of(4)
        {
            self.control().write(offset, u32::from_le_bytes(from));
        }
    }

    /// What goes on while there is I/O; whether it was that.
    fn write_unlocked(&self, offset: u64, value: u32) -> bool {
        if let Some(notified) = self.notifications.queue(offset, value) {
            if let Some(queue) = notified {
                self.device.notify(queue);
            }
            return true;
        }
        if offset == mmio::INTERRUPT_ACK {
            self.ways.acknowledge(value);
            return true;
        }
        false
    }

    /// Resets the device, as a write of 0 to status does. `hold` is dropped when the
    /// device has let go of everything.
    pub fn reset(&self, hold: Hold) {
        self.control().reset(hold);
    }

    /// How interrupts go now.
    pub fn mode(&self) -> Mode {
        self.ways.mode()
    }

    /// Whether the single interrupt has something to tell.
    pub(crate) fn is_asserted(&self) -> bool {
        self.ways.pending() != 0
    }

    /// By which its driver is told; the device is given the same when it starts.
    pub fn notifier(&self) -> Notifier {
        Notifier::new(self.ways.clone())
    }

    /// Sends what a sink that was busy did not take. A sink that has become ready has
    /// this called.
    pub fn retry(&self) {
        self.ways.retry(self.notifications.queues());
    }
}
