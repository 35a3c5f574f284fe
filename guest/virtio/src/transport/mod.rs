// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What carries a device: how its registers are found, and what they are called.

mod capabilities;
mod doorbell;
mod mmio;
mod pci;

use thiserror::Error;

pub use doorbell::Doorbell;
pub use mmio::Mmio;
pub use pci::Pci;

pub(crate) use capabilities::MsixPlace;

use crate::interrupts::{Accept, Chosen, Plan};
use crate::queue::Rings;
use crate::registers::Registers;
use crate::shared::Shared;

/// A device as a driver sets it up.
///
/// # Concurrency
/// One CPU at a time: most of it is selectors and what they select.
pub trait Transport {
    /// How its registers are reached.
    type Registers: Registers + Clone;

    /// The kind of device.
    fn kind(&self) -> u32;

    /// What the device offers.
    fn offered(&self) -> u64;

    /// Tells it what is accepted.
    fn accept(&self, features: u64);

    /// The device status.
    fn status(&self) -> u32;

    /// Writes it; 0 resets.
    fn set_status(&self, status: u32);

    /// The greatest size of a queue; 0 for no queue.
    fn queue_limit(&self, queue: u16) -> u16;

    /// Tells where a queue is, and puts it to use.
    fn set_queue(&self, queue: u16, rings: &Rings);

    /// By what a queue is notified, with what was agreed.
    fn doorbell(&self, queue: u16, features: u64, accept: &Accept) -> Doorbell<Self::Registers>;

    /// `bytes` (1, 2, 4 or 8) of the device's configuration.
    fn configuration(&self, offset: u16, bytes: u8) -> u64;

    /// Writes them.
    fn configure(&self, offset: u16, value: u64, bytes: u8);

    /// Changes with the configuration.
    fn generation(&self) -> u32;

    /// The feature bits that the ways to interrupt need which are accepted.
    fn interrupt_features(&self, accept: &Accept) -> u64;

    /// Sets up the best way to interrupt that both sides have.
    fn interrupts<S: Shared>(
        &self,
        agreed: u64,
        accept: &Accept,
        plan: &Plan<'_>,
        area: Option<S>,
    ) -> Chosen<Self::Registers, S>;
}

/// Why there is nothing to drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FindError {
    /// Another register block.
    #[error("no virtio-mmio here: its first register reads {0:#x}; give the block's address")]
    Magic(u32),
    /// Another version.
    #[error("virtio-mmio of version {0}: this driver has version 2, so have the device not legacy")]
    Version(u32),
    /// A place without a device.
    #[error("no device behind this register block: leave it alone")]
    Empty,
    /// Another function.
    #[error("not a virtio function that is not legacy: vendor {vendor:#x}, device {device:#x}")]
    Function {
        /// Whose.
        vendor: u16,
        /// What.
        device: u16,
    },
    /// A capability is missing.
    #[error("the function has no virtio capability of type {0}: it cannot be driven")]
    Capability(u8),
}
