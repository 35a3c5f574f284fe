// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which queue a write notifies.

use super::PAGE;
use super::options::{MmioOptions, NewError};
use crate::device::Device;
use crate::layout::features::NOTIFICATION_DATA;
use crate::layout::mmio::{CONFIG, QUEUE_NOTIFY};
use crate::layout::msi::Notification;
use crate::memory::Memory;

/// Where queues are notified: at QueueNotify by number, and at offsets of their own if
/// that is offered.
#[derive(Debug)]
pub(super) struct Notifications {
    queues: u16,
    /// Bits 31:16 of a notification say where the driver is.
    data: bool,
    offsets: Option<Notification>,
}

impl Notifications {
    /// # Errors
    /// If a queue would be notified where something else is.
    pub(super) fn new<M: Memory>(
        device: &impl Device<M>,
        options: &MmioOptions,
    ) -> Result<Self, NewError> {
        // More are refused when they are looked at.
        let queues = u16::try_from(device.queues().len()).unwrap_or(u16::MAX);
        let offsets = options.msi.and_then(|offer| offer.notification);
        if let Some(offsets) = offsets {
            for queue in 0..queues {
                check(offsets, queue, options)?;
            }
        }
        Ok(Self {
            queues,
            data: device.features() & NOTIFICATION_DATA != 0,
            offsets,
        })
    }

    /// How many queues there are.
    pub(super) fn queues(&self) -> u16 {
        self.queues
    }

    /// What QueueNotify reads as.
    pub(super) fn value(&self) -> u32 {
        self.offsets.map_or(0, Notification::to_value)
    }

    /// Where the last one ends.
    pub(super) fn end(&self) -> u64 {
        let last = self.queues.saturating_sub(1);
        self.offsets
            .map_or(0, |offsets| offsets.offset(last).saturating_add(4))
    }

    /// The queue that a write notifies: `None` if it is no notification, and
    /// `Some(None)` if it is one of no queue.
    #[inline]
    pub(super) fn queue(&self, offset: u64, value: u32) -> Option<Option<u16>> {
        let by_value = || {
            let value = if self.data { value & 0xffff } else { value };
            let queue = u16::try_from(value).ok();
            Some(queue.filter(|&queue| queue < self.queues))
        };
        if let Some(Notification { base, multiplier }) = self.offsets
            && let Some(behind) = offset.checked_sub(base.into())
        {
            if multiplier == 0 {
                if behind == 0 {
                    return by_value();
                }
            } else if behind.is_multiple_of(multiplier.into()) {
                let queue = u16::try_from(behind / u64::from(multiplier)).ok();
                if let Some(queue) = queue.filter(|&queue| queue < self.queues) {
                    return Some(Some(queue));
                }
            }
        }
        if offset == QUEUE_NOTIFY {
            return by_value();
        }
        None
    }
}

fn check(offsets: Notification, queue: u16, options: &MmioOptions) -> Result<(), NewError> {
    let offset = offsets.offset(queue);
    // All by one register is as ever; by several, QueueNotify is none of them: it takes
    // numbers.
    let ever = offset == QUEUE_NOTIFY && offsets.multiplier == 0;
    let free = if offset < CONFIG {
        ever || !options.has_register(offset)
    } else {
        offset >= PAGE
    };
    if free && offset.is_multiple_of(4) {
        Ok(())
    } else {
        Err(NewError::Notification { queue, offset })
    }
}
