// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Saving and restoring what was agreed.

use super::Negotiation;
use super::queues::{Positions, Registers};
use crate::device::Device;
use crate::layout::status::{DRIVER_OK, FEATURES_OK, NEEDS_RESET};
use crate::memory::Memory;
use crate::notifier::Notifier;

/// Features, status and queues; plain numbers, for whoever writes them down.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NegotiationState {
    /// What is offered. A device that offers less does not take the state over.
    pub offered: u64,
    /// Which of the device's features are read.
    pub device_features_sel: u32,
    /// Which of the driver's are written.
    pub driver_features_sel: u32,
    /// The driver's.
    pub driver_features: u64,
    /// It wrote others above bit 63.
    pub driver_features_beyond: bool,
    /// Device status.
    pub status: u32,
    /// Which queue its registers mean.
    pub queue_sel: u32,
    /// All queues.
    pub queues: Vec<QueueState>,
}

/// What the driver wrote of one queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueState {
    /// The greatest size the device gives it.
    pub size_max: u16,
    /// Its size.
    pub size: u32,
    /// It is set up.
    pub ready: bool,
    /// Where the descriptors are.
    pub desc: u64,
    /// Where the driver's ring is.
    pub driver: u64,
    /// Where the device's ring is.
    pub device: u64,
}

/// Why a state was not restored; nothing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// The driver was offered other features.
    #[error("the state is of a device that offers {saved:#x}, this one offers {offered:#x}")]
    Features {
        /// Offered by the saved.
        saved: u64,
        /// By this one.
        offered: u64,
    },
    /// The device has another number of queues.
    #[error("the state has {saved} queues, the device has {queues}; make it as the saved")]
    Queues {
        /// In the state.
        saved: usize,
        /// In the device.
        queues: usize,
    },
    /// A queue is of another greatest size, or ready without being sound.
    #[error("queue {queue} of the state is none that this device can have")]
    Queue {
        /// Which one.
        queue: u16,
    },
    /// Status has bits that no driver can get.
    #[error("status {status:#x} does not go with the rest of the state; it is damaged")]
    Status {
        /// Status of the state.
        status: u32,
    },
    /// The device is in use.
    #[error("the device is started, or a reset goes on; restore into a new one")]
    Busy,
}

impl From<&Registers> for QueueState {
    fn from(queue: &Registers) -> Self {
        Self {
            size_max: queue.max,
            size: queue.size,
            ready: queue.ready,
            desc: queue.desc,
            driver: queue.driver,
            device: queue.device,
        }
    }
}

impl From<&QueueState> for Registers {
    fn from(queue: &QueueState) -> Self {
        Self {
            max: queue.size_max,
            size: queue.size,
            ready: queue.ready,
            desc: queue.desc,
            driver: queue.driver,
            device: queue.device,
        }
    }
}

impl<M: Memory, D: Device<M>> Negotiation<M, D> {
    /// The state now. A reset that goes on is done in it: stop the device first.
    pub(crate) fn save(&self) -> NegotiationState {
        let (driver_features, driver_features_beyond) = self.features.written();
        NegotiationState {
            offered: self.features.offered(),
            device_features_sel: self.features.device_sel,
            driver_features_sel: self.features.driver_sel,
            driver_features,
            driver_features_beyond,
            status: self.status | self.trouble.bit(),
            queue_sel: self.queues.sel,
            queues: self.queues.all().iter().map(Into::into).collect(),
        }
    }

    /// Whether [`Self::restore`] would take it over; for a transport that has more
    /// to check before it changes anything.
    ///
    /// # Errors
    /// Those of a restore.
    pub(crate) fn check(&self, state: &NegotiationState) -> Result<(), RestoreError> {
        if self.started || self.is_resetting() {
            return Err(RestoreError::Busy);
        }
        let offered = self.features.offered();
        if state.offered != offered {
            let saved = state.offered;
            return Err(RestoreError::Features { saved, offered });
        }
        let (saved, queues) = (state.queues.len(), self.queues.all().len());
        if saved != queues {
            return Err(RestoreError::Queues { saved, queues });
        }
        for (number, (saved, has)) in (0..).zip(state.queues.iter().zip(self.queues.all())) {
            let sound = !saved.ready || Registers::from(saved).is_sound();
            if saved.size_max != has.max || !sound {
                return Err(RestoreError::Queue { queue: number });
            }
        }
        let status = state.status;
        let known = super::DRIVERS | NEEDS_RESET;
        let agreed = state.driver_features & crate::layout::features::VERSION_1 != 0
            && state.driver_features & !offered == 0
            && !state.driver_features_beyond;
        let damaged = status & !known != 0
            || status & FEATURES_OK != 0 && !agreed
            || status & DRIVER_OK != 0 && status & FEATURES_OK == 0
            || status & NEEDS_RESET != 0 && status & DRIVER_OK == 0;
        if damaged {
            return Err(RestoreError::Status { status });
        }
        Ok(())
    }

    /// Takes over a saved state. A device that was started is started, each queue
    /// where the device's ring says that everything up to it was used: what the saved
    /// device had taken, it must have used.
    ///
    /// The transport lets interrupts through before, if status has `DRIVER_OK`.
    ///
    /// # Errors
    /// The state is none that this device can have; nothing changed.
    pub(crate) fn restore(
        &mut self,
        state: &NegotiationState,
        notifier: &Notifier,
    ) -> Result<(), RestoreError> {
        self.check(state)?;
        let written = (state.driver_features, state.driver_features_beyond);
        self.features.restore(
            state.device_features_sel,
            state.driver_features_sel,
            written,
        );
        self.status = state.status;
        self.queues.sel = state.queue_sel;
        for (to, from) in self.queues.all_mut().iter_mut().zip(&state.queues) {
            *to = from.into();
        }
        if state.status & DRIVER_OK != 0 && state.status & NEEDS_RESET == 0 {
            self.start_at(notifier, Positions::Used);
        }
        Ok(())
    }
}
