// SPDX-License-Identifier: Apache-2.0 OR MIT
//! virtio over PCI: what is in BAR 0 of the function. Source: virtio 1.3, 4.1.
//!
//! ```text
//!   0x0000  common configuration     negotiation, vectors of events       its lock
//!   0x1000  interrupt status         reading clears, and drops the pin    no lock
//!   0x2000  the device's configuration                                    its lock
//!   0x4000  notifications            4 bytes a queue ──▶ Device::notify   no lock
//!
//!   Notifier ──▶ MSI-X off: interrupt status, pin
//!                MSI-X on:  the event's vector, if it has one ──▶ Vectors
//! ```
//! The function itself, with its config space and its MSI-X table, is whoever's that
//! has it: [`crate::vfio`], or a VMM.

mod capability;
mod common;
mod interrupts;
mod status;
#[cfg(all(test, not(loom)))]
mod tests;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ims_vfio::Hold;

use crate::device::Device;
use crate::layout::pci::{bar, common as layout};
use crate::line::Line;
use crate::memory::Memory;
use crate::negotiation::{Action, DeviceError, Negotiation};
use crate::notifier::Notifier;
use crate::vectors::Vectors;
pub use capability::{Capability, capabilities};
use common::Common;
use interrupts::Interrupts;

/// The most queues: as many as have room for their notifications.
const QUEUES: u64 = bar::NOTIFY_BYTES / bar::NOTIFY_MULTIPLIER as u64;

/// Why there is no such transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NewError {
    /// No driver could use the device.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// Not all queues have a notification.
    #[error("the device has {queues} queues; this transport has notifications for {QUEUES}")]
    Queues {
        /// How many it has.
        queues: u16,
    },
}

/// A device behind virtio-pci.
///
/// # Concurrency
/// All methods on any thread. Notifications and interrupt status take no lock, and
/// neither does what the device tells.
pub struct Pci<M, D, V, L> {
    device: Arc<D>,
    queues: u16,
    negotiation: Mutex<Negotiation<M, D>>,
    interrupts: Arc<Interrupts<V, L>>,
    notifier: Notifier,
}

impl<M, D, V, L> fmt::Debug for Pci<M, D, V, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pci").finish_non_exhaustive()
    }
}

impl<M: Memory, D: Device<M>, V: Vectors, L: Line> Pci<M, D, V, L> {
    /// `device`, as after a reset, with MSI-X disabled. `vectors` are the function's
    /// MSI-X, `line` its pin.
    ///
    /// # Errors
    /// [`NewError`].
    pub fn new(device: Arc<D>, memory: M, vectors: V, line: L) -> Result<Self, NewError> {
        let negotiation = Negotiation::new(Arc::clone(&device), memory, 0)?;
        let queues = negotiation.queue_count();
        if u64::from(queues) > QUEUES {
            return Err(NewError::Queues { queues });
        }
        let interrupts = Arc::new(Interrupts::new(queues, vectors, line));
        Ok(Self {
            device,
            queues,
            negotiation: Mutex::new(negotiation),
            notifier: Notifier::new(interrupts.clone()),
            interrupts,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Negotiation<M, D>> {
        // Each change is whole before anything that could panic.
        let negotiation = &self.negotiation;
        negotiation.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn common<'a>(&'a self, negotiation: &'a mut Negotiation<M, D>) -> Common<'a, M, D, V, L> {
        Common {
            negotiation,
            interrupts: &self.interrupts,
        }
    }

    /// Reads from byte `offset` of BAR 0, any number of bytes. What lies in no
    /// structure is zero.
    pub fn read(&self, offset: u64, into: &mut [u8]) {
        into.fill(0);
        match structure(offset) {
            Structure::Common(offset) => self.common(&mut self.lock()).read(offset, into),
            Structure::Isr(0) => {
                if let Some(first) = into.first_mut() {
                    *first = self.interrupts.status().take();
                }
            }
            Structure::Device(offset) => self.lock().device().read_config(offset, into),
            Structure::Isr(_) | Structure::Notify(_) | Structure::None => {}
        }
    }

    /// Writes from byte `offset` of BAR 0, any number of bytes. What cannot be
    /// written is ignored.
    pub fn write(&self, offset: u64, from: &[u8]) {
        match structure(offset) {
            Structure::Notify(queue) if queue < self.queues => self.device.notify(queue),
            Structure::Common(offset) => {
                let mut negotiation = self.lock();
                match self.common(&mut negotiation).write(offset, from) {
                    Action::None => {}
                    Action::Start => {
                        self.interrupts.status().open();
                        negotiation.start(&self.notifier);
                    }
                    Action::Reset => {
                        self.interrupts.reset();
                        negotiation.reset(Hold::nobody());
                    }
                }
            }
            Structure::Device(offset) => {
                let negotiation = self.lock();
                if !negotiation.is_resetting() {
                    negotiation.device().write_config(offset, from);
                }
            }
            Structure::Notify(_) | Structure::Isr(_) | Structure::None => {}
        }
    }

    /// MSI-X was enabled or disabled in config space: events have vectors, or the
    /// pin. Masks are the [`Vectors`]' own.
    pub fn set_msix_enabled(&self, enabled: bool) {
        self.interrupts.status().set_msix(enabled);
    }

    /// Everything as at first, but for MSI-X being enabled or not; `hold` is dropped
    /// when the device has let go of all. For a reset of the function: the driver's
    /// own is a write to the status.
    pub fn reset(&self, hold: Hold) {
        let mut negotiation = self.lock();
        self.interrupts.reset();
        negotiation.reset(hold);
    }

    /// The device.
    pub fn device(&self) -> &Arc<D> {
        &self.device
    }
}

/// Where an access goes.
enum Structure {
    Common(u64),
    Isr(u64),
    Device(u64),
    /// Which queue's.
    Notify(u16),
    None,
}

fn structure(offset: u64) -> Structure {
    let within = |begin: u64, bytes: u64| {
        let offset = offset.checked_sub(begin)?;
        (offset < bytes).then_some(offset)
    };
    if let Some(offset) = within(bar::COMMON, layout::BYTES) {
        return Structure::Common(offset);
    }
    if let Some(offset) = within(bar::NOTIFY, bar::NOTIFY_BYTES) {
        let multiplier = u64::from(bar::NOTIFY_MULTIPLIER);
        // An access in the middle of one is none.
        return match u16::try_from(offset / multiplier) {
            Ok(queue) if offset.is_multiple_of(multiplier) => Structure::Notify(queue),
            _ => Structure::None,
        };
    }
    if let Some(offset) = within(bar::ISR, crate::layout::pci::isr::BYTES) {
        return Structure::Isr(offset);
    }
    match within(bar::DEVICE, bar::DEVICE_BYTES) {
        Some(offset) => Structure::Device(offset),
        None => Structure::None,
    }
}
