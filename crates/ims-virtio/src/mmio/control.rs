// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The registers behind the lock.

use std::sync::Arc;

use ims::sink::MessageSink;
use ims_vfio::Hold;

use super::MmioWays;
use super::offers::Offers;
use super::options::{MmioOptions, NewError};
use crate::device::Device;
use crate::interrupts::Ways;
use crate::layout::mmio;
use crate::line::Line;
use crate::memory::Memory;
use crate::negotiation::{Action, Address, Half, Negotiation};
use crate::notifier::Notifier;

/// A shared memory region that is not. Source: virtio 1.3, 4.2.2 (SHMLenLow).
const NO_REGION: u32 = u32::MAX;

/// What one thread at a time changes.
pub(super) struct Control<M, D, K, L> {
    pub(super) negotiation: Negotiation<M, D>,
    pub(super) offers: Offers<M, K>,
    pub(super) ways: Arc<MmioWays<M, K, L>>,
}

impl<M, D, K, L> Control<M, D, K, L>
where
    M: Memory,
    D: Device<M>,
    K: MessageSink + Clone + Send + Sync + 'static,
    L: Line,
{
    pub(super) fn new(
        device: Arc<D>,
        memory: M,
        sink: K,
        line: L,
        options: &MmioOptions,
    ) -> Result<Self, NewError> {
        let negotiation = Negotiation::new(device, memory.clone(), options.features())?;
        let offers = Offers::new(options, negotiation.queue_count(), memory, sink)?;
        let (msi, vis) = offers.ports();
        Ok(Self {
            negotiation,
            offers,
            ways: Arc::new(Ways::new(msi, vis, line, options.posted)),
        })
    }

    pub(super) fn read(&self, offset: u64) -> u32 {
        let negotiation = &self.negotiation;
        match offset {
            mmio::DEVICE_FEATURES => negotiation.device_features(),
            mmio::QUEUE_SIZE_MAX => negotiation.queue_size_max().into(),
            mmio::QUEUE_READY => negotiation.queue_ready().into(),
            mmio::STATUS => negotiation.status(),
            mmio::CONFIG_GENERATION => negotiation.device().config_generation(),
            mmio::SHM_LEN | mmio::SHM_BASE => NO_REGION,
            _ if offset == mmio::SHM_LEN + 4 || offset == mmio::SHM_BASE + 4 => NO_REGION,
            _ => self.offers.read(offset, self.ways.mode()),
        }
    }

    pub(super) fn write(&mut self, offset: u64, value: u32) {
        let negotiation = &mut self.negotiation;
        match offset {
            mmio::DEVICE_FEATURES_SEL => negotiation.set_device_features_sel(value),
            mmio::DRIVER_FEATURES_SEL => negotiation.set_driver_features_sel(value),
            mmio::DRIVER_FEATURES => negotiation.set_driver_features(value),
            mmio::QUEUE_SEL => negotiation.set_queue_sel(value),
            mmio::QUEUE_SIZE => negotiation.set_queue_size(value),
            mmio::QUEUE_READY => negotiation.set_queue_ready(value & 1 != 0),
            mmio::STATUS => self.set_status(value),
            _ => {
                if let Some((address, half)) = address(offset) {
                    negotiation.set_queue_address(address, half, value);
                } else if !negotiation.is_resetting() {
                    let accepted = negotiation.accepted();
                    let queue = negotiation.selected();
                    let queues = 0..negotiation.queue_count();
                    self.offers
                        .write(offset, value, accepted, queue, queues, &self.ways);
                }
            }
        }
    }

    fn set_status(&mut self, value: u32) {
        match self.negotiation.set_status(value) {
            Action::None => {}
            Action::Start => {
                self.ways.set_live(true);
                let notifier = self.notifier();
                self.negotiation.start(&notifier);
            }
            Action::Reset => self.reset(Hold::nobody()),
        }
    }

    pub(super) fn notifier(&self) -> Notifier {
        Notifier::new(self.ways.clone())
    }

    pub(super) fn reset(&mut self, hold: Hold) {
        self.ways.reset();
        self.offers.reset();
        self.negotiation.reset(hold);
    }

    pub(super) fn read_config(&self, offset: u64, into: &mut [u8]) {
        self.negotiation.device().read_config(offset, into);
    }

    pub(super) fn write_config(&mut self, offset: u64, from: &[u8]) {
        if !self.negotiation.is_resetting() {
            self.negotiation.device().write_config(offset, from);
        }
    }
}

fn address(offset: u64) -> Option<(Address, Half)> {
    const DESC_HIGH: u64 = mmio::QUEUE_DESC + 4;
    const DRIVER_HIGH: u64 = mmio::QUEUE_DRIVER + 4;
    const DEVICE_HIGH: u64 = mmio::QUEUE_DEVICE + 4;
    Some(match offset {
        mmio::QUEUE_DESC => (Address::Desc, Half::Low),
        DESC_HIGH => (Address::Desc, Half::High),
        mmio::QUEUE_DRIVER => (Address::Driver, Half::Low),
        DRIVER_HIGH => (Address::Driver, Half::High),
        mmio::QUEUE_DEVICE => (Address::Device, Half::Low),
        DEVICE_HIGH => (Address::Device, Half::High),
        _ => return None,
    })
}
