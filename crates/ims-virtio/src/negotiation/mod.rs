// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What driver and device agree on before there is I/O: features, queues, status.
//! The same for every transport; a transport decodes registers and has interrupts.
//!
//! ```text
//!   features ──▶ FEATURES_OK ──▶ queues ──▶ DRIVER_OK ──▶ Device::start
//!       ▲        refused if not           rings checked     │ failed: NEEDS_RESET
//!       │        offered                  against memory    ▼
//!       └──────── status reads 0 ◀── last hold gone ◀── 0 written: Device::stop
//! ```
//!
//! Where virtio leaves open what happens, it is so here:
//! - Status bits are only added; a write that leaves one out does not clear it.
//!   `NEEDS_RESET` is the device's alone.
//! - A queue with a size that is no power of two or too great, or with addresses not
//!   aligned, does not become ready: the driver reads back 0.
//! - A queue's registers are written while it is not ready and before `DRIVER_OK`;
//!   else writes are ignored. One queue alone is not stopped: it stays ready until a
//!   reset.
//! - While a reset goes on, status reads as before it, and all writes are ignored.
//!
//! Source: virtio 1.3, 2.1, 2.2, 3.1.1, 4.2.2.2.

mod features;
mod queues;
mod resetting;
mod state;
#[cfg(all(test, not(loom)))]
mod tests;
mod trouble;

use std::sync::Arc;

use ims_vfio::Hold;

use crate::device::{Device, Setup, StartError};
use crate::layout::features::RING_EVENT_IDX;
use crate::layout::status::{ACKNOWLEDGE, DRIVER, DRIVER_OK, FAILED, FEATURES_OK, NEEDS_RESET};
use crate::memory::Memory;
use crate::notifier::Notifier;
use features::Features;
pub use queues::DeviceError;
pub(crate) use queues::{Address, Half};
use queues::{Positions, Queues};
use resetting::Resetting;
pub use state::{NegotiationState, QueueState, RestoreError};
use trouble::Trouble;

/// Bits that a driver writes.
const DRIVERS: u32 = ACKNOWLEDGE | DRIVER | DRIVER_OK | FEATURES_OK | FAILED;

/// What a transport does now that status was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "the device is not started, or reset, by the write alone"]
pub(crate) enum Action {
    /// Nothing.
    None,
    /// It lets interrupts through, then calls [`Negotiation::start`].
    Start,
    /// It takes its interrupts back, then calls [`Negotiation::reset`].
    Reset,
}

/// Features, queues and status of one device. A transport keeps it in its lock.
///
/// Everything takes any value a driver can write.
#[derive(Debug)]
pub(crate) struct Negotiation<M, D> {
    device: Arc<D>,
    memory: M,
    features: Features,
    queues: Queues,
    status: u32,
    /// `start` was called since the last reset.
    started: bool,
    /// What the device said since.
    trouble: Trouble,
    resetting: Resetting,
}

impl<M: Memory, D: Device<M>> Negotiation<M, D> {
    /// As after a reset. `transport` are the feature bits that the transport offers
    /// beside `VERSION_1`.
    ///
    /// # Errors
    /// [`DeviceError`]: no driver could use the device.
    pub(crate) fn new(device: Arc<D>, memory: M, transport: u64) -> Result<Self, DeviceError> {
        Ok(Self {
            features: Features::new(device.features() | transport),
            queues: Queues::new(device.queues())?,
            status: 0,
            started: false,
            trouble: Trouble::default(),
            resetting: Resetting::default(),
            device,
            memory,
        })
    }

    pub(crate) fn device(&self) -> &Arc<D> {
        &self.device
    }

    /// Whether a reset goes on; whoever has registers of its own ignores writes then.
    pub(crate) fn is_resetting(&self) -> bool {
        self.resetting.goes_on()
    }

    /// Which 32 bits [`Self::device_features`] is.
    pub(crate) fn device_features_sel(&self) -> u32 {
        self.features.device_sel
    }

    pub(crate) fn set_device_features_sel(&mut self, sel: u32) {
        if !self.is_resetting() {
            self.features.device_sel = sel;
        }
    }

    /// The selected 32 bits of what is offered.
    pub(crate) fn device_features(&self) -> u32 {
        self.features.device()
    }

    /// Which 32 bits [`Self::driver_features`] is.
    pub(crate) fn driver_features_sel(&self) -> u32 {
        self.features.driver_sel
    }

    pub(crate) fn set_driver_features_sel(&mut self, sel: u32) {
        if !self.is_resetting() {
            self.features.driver_sel = sel;
        }
    }

    /// The selected 32 bits of what the driver wrote.
    pub(crate) fn driver_features(&self) -> u32 {
        self.features.driver()
    }

    /// Ignored once the features are agreed.
    pub(crate) fn set_driver_features(&mut self, bits: u32) {
        if !self.is_resetting() && self.status & FEATURES_OK == 0 {
            self.features.set_driver(bits);
        }
    }

    /// Features that both sides have; none until they are agreed.
    pub(crate) fn accepted(&self) -> u64 {
        if self.status & FEATURES_OK != 0 && !self.is_resetting() {
            self.features.accepted()
        } else {
            0
        }
    }

    /// How many queues the device has.
    pub(crate) fn queue_count(&self) -> u16 {
        self.queues.count()
    }

    /// Which queue the registers of queues mean.
    pub(crate) fn queue_sel(&self) -> u32 {
        self.queues.sel
    }

    pub(crate) fn set_queue_sel(&mut self, sel: u32) {
        if !self.is_resetting() {
            self.queues.sel = sel;
        }
    }

    /// The selected queue, if there is one.
    pub(crate) fn selected(&self) -> Option<u16> {
        self.queues.selected()
    }

    /// Its greatest size; 0 for no queue.
    pub(crate) fn queue_size_max(&self) -> u16 {
        self.queues.size_max()
    }

    /// Its size; 0 for no queue.
    pub(crate) fn queue_size(&self) -> u32 {
        self.queues.size()
    }

    pub(crate) fn set_queue_size(&mut self, size: u32) {
        if self.queues_open() {
            self.queues.set_size(size);
        }
    }

    /// Whether it is set up.
    pub(crate) fn queue_ready(&self) -> bool {
        self.queues.ready()
    }

    /// Refused, so that it reads back as before, if the queue cannot be used as it
    /// was set up, or is in use.
    pub(crate) fn set_queue_ready(&mut self, ready: bool) {
        if self.queues_open() {
            self.queues.set_ready(ready);
        }
    }

    /// One of its addresses.
    pub(crate) fn queue_address(&self, address: Address) -> u64 {
        self.queues.address(address)
    }

    pub(crate) fn set_queue_address(&mut self, address: Address, half: Half, bits: u32) {
        if self.queues_open() {
            self.queues.set_address(address, half, bits);
        }
    }

    fn queues_open(&self) -> bool {
        self.status & DRIVER_OK == 0 && !self.is_resetting()
    }

    /// Device status; not 0 until a reset is done.
    pub(crate) fn status(&self) -> u32 {
        self.resetting
            .status_before()
            .unwrap_or(self.status | self.trouble.bit())
    }

    /// The driver writes status.
    pub(crate) fn set_status(&mut self, value: u32) -> Action {
        if self.is_resetting() {
            return Action::None;
        }
        if value == 0 {
            return Action::Reset;
        }
        let had = self.status;
        let mut new = had | value & DRIVERS;
        if had & FEATURES_OK == 0 && !self.features.agree() {
            new &= !FEATURES_OK;
        }
        let starts = new & FEATURES_OK != 0 && new & (FAILED | NEEDS_RESET) == 0;
        if had & DRIVER_OK == 0 && !starts {
            new &= !DRIVER_OK;
        }
        self.status = new;
        if new & !had & DRIVER_OK != 0 {
            Action::Start
        } else {
            Action::None
        }
    }

    /// Starts the device with the queues that are ready. If that fails, status says
    /// that a reset is needed, and the driver is told so by `notifier`.
    pub(crate) fn start(&mut self, notifier: &Notifier) {
        self.start_at(notifier, Positions::Begin);
    }

    fn start_at(&mut self, notifier: &Notifier, positions: Positions) {
        let features = self.features.accepted();
        let event_idx = features & RING_EVENT_IDX != 0;
        let made = self.queues.make(&self.memory, event_idx, positions);
        self.trouble = Trouble::default();
        let started = made.and_then(|queues| {
            let notifier = self.trouble.notifier(notifier);
            let setup = Setup::new(self.memory.clone(), features, queues, notifier);
            self.started = true;
            self.device.start(setup)
        });
        if let Err(error) = started {
            self.fail(&error, notifier);
        }
    }

    #[cold]
    fn fail(&mut self, error: &StartError, notifier: &Notifier) {
        tracing::debug!(%error, "the device does not start");
        self.status |= NEEDS_RESET;
        notifier.config_changed();
    }

    /// Everything as at first; `hold` is dropped when the device has let go of all,
    /// also if another reset has begun that.
    pub(crate) fn reset(&mut self, hold: Hold) {
        let status = self.status();
        self.status = 0;
        self.trouble = Trouble::default();
        self.features.reset();
        self.queues.reset();
        if !std::mem::take(&mut self.started) {
            // Nothing to stop, or somebody else has asked for it.
            self.resetting.join(hold);
            return;
        }
        let hold = self.resetting.begin(status, hold);
        self.device.stop(hold);
    }
}
