// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A driver for the entropy device. Source: virtio 1.3, 5.4.

use core::iter::once;

use crate::device::{Device, DeviceError};
use crate::queue::{Buffer, QueueError, SplitQueue, Used};
use crate::registers::Registers;
use crate::shared::Shared;
use crate::transport::{Doorbell, Transport};

/// What kind of device it is.
pub const KIND: u32 = 4;

/// Its one queue, of at most `N` descriptors.
///
/// # Concurrency
/// One CPU at a time.
#[derive(Debug)]
pub struct EntropyQueue<S, R, const N: usize> {
    queue: SplitQueue<S, N>,
    doorbell: Doorbell<R>,
}

impl<S: Shared, R: Registers + Clone, const N: usize> EntropyQueue<S, R, N> {
    /// Makes it, in [`crate::queue::bytes`] of `shared`.
    ///
    /// # Errors
    /// [`DeviceError`].
    pub fn new<T: Transport<Registers = R>>(
        device: &Device<T>,
        shared: S,
        size: u16,
    ) -> Result<Self, DeviceError> {
        let (queue, doorbell) = device.queue(0, shared, size, 0)?;
        Ok(Self { queue, doorbell })
    }

    /// Asks for random bytes at a bus address. The memory is the device's until the
    /// token comes back.
    ///
    /// # Errors
    /// [`QueueError`].
    pub fn ask(&mut self, address: u64, length: u32) -> Result<u16, QueueError> {
        let buffer = Buffer {
            address,
            length,
            writable: true,
        };
        let token = self.queue.add(once(buffer))?;
        if self.queue.wants_notification() {
            self.doorbell.ring();
        }
        Ok(token)
    }

    /// Bytes that came back: how many of those asked for are random.
    ///
    /// # Errors
    /// [`QueueError::Broken`].
    pub fn complete(&mut self) -> Result<Option<Used>, QueueError> {
        self.queue.take()
    }
}
