// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A device from reset to `DRIVER_OK`. Source: virtio 1.3, 3.1.

use core::hint::spin_loop;

use ims_virtio::layout::{features, status};
use thiserror::Error;

use crate::interrupts::{Accept, Chosen, Plan, PlanError};
use crate::queue::{Options, QueueError, SplitQueue};
use crate::shared::Shared;
use crate::transport::{Doorbell, Transport};

/// How often a device is asked whether its reset is done.
const POLLS: u32 = 1_000_000;

/// A device that has agreed on features.
///
/// # Concurrency
/// One CPU sets it up; queues and interrupts are their owners' then.
#[derive(Debug)]
pub struct Device<T> {
    transport: T,
    features: u64,
    accept: Accept,
}

impl<T: Transport> Device<T> {
    /// Resets the device, and agrees on what it offers of `wanted` and on what the
    /// ways to interrupt in `accept` need.
    ///
    /// # Errors
    /// [`DeviceError`].
    pub fn begin(transport: T, wanted: u64, accept: Accept) -> Result<Self, DeviceError> {
        transport.set_status(0);
        (0..POLLS)
            .any(|_| {
                spin_loop();
                transport.status() == 0
            })
            .then_some(())
            .ok_or(DeviceError::Reset)?;
        transport.set_status(status::ACKNOWLEDGE);
        transport.set_status(status::ACKNOWLEDGE | status::DRIVER);
        let ours = wanted | features::VERSION_1 | transport.interrupt_features(&accept);
        let agreed = transport.offered() & ours;
        if agreed & features::VERSION_1 == 0 {
            transport.set_status(status::FAILED);
            return Err(DeviceError::Legacy);
        }
        transport.accept(agreed);
        let asked = status::ACKNOWLEDGE | status::DRIVER | status::FEATURES_OK;
        transport.set_status(asked);
        if transport.status() & status::FEATURES_OK == 0 {
            transport.set_status(status::FAILED);
            return Err(DeviceError::Features(agreed));
        }
        Ok(Self {
            transport,
            features: agreed,
            accept,
        })
    }

    /// What was agreed on.
    pub fn features(&self) -> u64 {
        self.features
    }

    /// What carries it.
    pub fn transport(&self) -> &T {
        &self.transport
    }

    /// Makes a queue of at most `size` descriptors (a power of two), as many as the
    /// device has of them, in `shared`, with `table` indirect descriptors a chain.
    ///
    /// # Errors
    /// [`DeviceError::NoQueue`], [`DeviceError::Queue`].
    pub fn queue<S: Shared, const N: usize>(
        &self,
        index: u16,
        shared: S,
        size: u16,
        table: u16,
    ) -> Result<(SplitQueue<S, N>, Doorbell<T::Registers>), DeviceError> {
        let limit = self.transport.queue_limit(index);
        if limit == 0 {
            return Err(DeviceError::NoQueue(index));
        }
        let options = Options {
            size: size.min(limit),
            table,
            features: self.features,
        };
        let queue = SplitQueue::new(shared, options)?;
        self.transport.set_queue(index, &queue.rings());
        Ok((queue, self.doorbell(index)))
    }

    /// By what a queue is notified, for who has made it otherwise.
    pub fn doorbell(&self, index: u16) -> Doorbell<T::Registers> {
        self.transport.doorbell(index, self.features, &self.accept)
    }

    /// Sets up the best way to interrupt that both sides have: VIS in `area`, MSI or
    /// MSI-X, or the single interrupt. [`Chosen`] says which, and why not a better.
    ///
    /// To be done before [`Device::start`].
    ///
    /// # Errors
    /// [`PlanError`]: the plan contradicts itself; nothing is done.
    pub fn interrupts<S: Shared>(
        &self,
        plan: &Plan<'_>,
        area: Option<S>,
    ) -> Result<Chosen<T::Registers, S>, PlanError> {
        plan.check()?;
        Ok(self
            .transport
            .interrupts(self.features, &self.accept, plan, area))
    }

    /// Lets it work (`DRIVER_OK`).
    ///
    /// # Errors
    /// [`DeviceError::NeedsReset`].
    pub fn start(&self) -> Result<(), DeviceError> {
        let agreed = status::ACKNOWLEDGE | status::DRIVER | status::FEATURES_OK;
        self.transport.set_status(agreed | status::DRIVER_OK);
        if self.needs_reset() {
            return Err(DeviceError::NeedsReset);
        }
        Ok(())
    }

    /// Whether the device cannot go on.
    pub fn needs_reset(&self) -> bool {
        self.transport.status() & status::NEEDS_RESET != 0
    }

    /// Resets it. When this is done the device uses no memory of the driver's.
    ///
    /// # Errors
    /// [`DeviceError::Reset`], with the transport gone: nothing is known then about
    /// what the device still does.
    pub fn reset(self) -> Result<T, DeviceError> {
        self.transport.set_status(0);
        (0..POLLS)
            .any(|_| {
                spin_loop();
                self.transport.status() == 0
            })
            .then_some(self.transport)
            .ok_or(DeviceError::Reset)
    }

    /// What `read` reads of the configuration, all of one generation.
    pub fn configuration<V>(&self, read: impl Fn(&T) -> V) -> V {
        let mut before = self.transport.generation();
        loop {
            let value = read(&self.transport);
            let after = self.transport.generation();
            if before == after {
                return value;
            }
            before = after;
        }
    }
}

/// Why a device cannot be driven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// It does not come out of reset.
    #[error("the device does not end its reset: its memory must stay its own")]
    Reset,
    /// It is a legacy one.
    #[error("the device does not offer VERSION_1: let it be one that is not legacy")]
    Legacy,
    /// It does not agree.
    #[error("the device refuses features {0:#x}, which it offered: want fewer")]
    Features(u64),
    /// It has no such queue.
    #[error("the device has no queue {0}: ask for fewer")]
    NoQueue(u16),
    /// A queue could not be made.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// It failed.
    #[error("the device cannot go on: reset it and begin again")]
    NeedsReset,
}
