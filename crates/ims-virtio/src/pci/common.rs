// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The common configuration structure. Source: virtio 1.3, 4.1.4.3.
//!
//! A read may begin and end anywhere. A write takes effect on each field that it
//! covers, a 64-bit field being two of 32; on a part of a field it has none.

use super::interrupts::Interrupts;
use crate::device::Device;
use crate::layout::pci::NO_VECTOR;
use crate::layout::pci::common::{
    CONFIG_GENERATION, CONFIG_MSIX_VECTOR, DEVICE_FEATURE, DEVICE_FEATURE_SELECT, DEVICE_STATUS,
    DRIVER_FEATURE, DRIVER_FEATURE_SELECT, NUM_QUEUES, QUEUE_DESC, QUEUE_DEVICE, QUEUE_DRIVER,
    QUEUE_ENABLE, QUEUE_MSIX_VECTOR, QUEUE_NOTIF_CONFIG_DATA, QUEUE_NOTIFY_OFF, QUEUE_RESET,
    QUEUE_SELECT, QUEUE_SIZE,
};
use crate::line::Line;
use crate::memory::Memory;
use crate::negotiation::{Action, Address, Half, Negotiation};
use crate::notifier::Event;
use crate::vectors::Vectors;

/// Offset and bytes of each field.
const FIELDS: [(u64, usize); 21] = [
    (DEVICE_FEATURE_SELECT, 4),
    (DEVICE_FEATURE, 4),
    (DRIVER_FEATURE_SELECT, 4),
    (DRIVER_FEATURE, 4),
    (CONFIG_MSIX_VECTOR, 2),
    (NUM_QUEUES, 2),
    (DEVICE_STATUS, 1),
    (CONFIG_GENERATION, 1),
    (QUEUE_SELECT, 2),
    (QUEUE_SIZE, 2),
    (QUEUE_MSIX_VECTOR, 2),
    (QUEUE_ENABLE, 2),
    (QUEUE_NOTIFY_OFF, 2),
    (QUEUE_DESC, 4),
    (QUEUE_DESC + 4, 4),
    (QUEUE_DRIVER, 4),
    (QUEUE_DRIVER + 4, 4),
    (QUEUE_DEVICE, 4),
    (QUEUE_DEVICE + 4, 4),
    (QUEUE_NOTIF_CONFIG_DATA, 2),
    (QUEUE_RESET, 2),
];

/// The structure, in its lock.
pub(super) struct Common<'a, M, D, V, L> {
    pub(super) negotiation: &'a mut Negotiation<M, D>,
    pub(super) interrupts: &'a Interrupts<V, L>,
}

impl<M: Memory, D: Device<M>, V: Vectors, L: Line> Common<'_, M, D, V, L> {
    /// Reads from byte `offset` of the structure; what lies behind it is zero.
    pub(super) fn read(&self, offset: u64, into: &mut [u8]) {
        into.fill(0);
        for (field, bytes) in FIELDS {
            let value = || self.field(field).to_le_bytes().into_iter().take(bytes);
            match field.checked_sub(offset).map(usize::try_from) {
                Some(Ok(at)) if at < into.len() => {
                    for (to, from) in into.iter_mut().skip(at).zip(value()) {
                        *to = from;
                    }
                }
                Some(_) => return,
                None => {
                    let within = usize::try_from(offset.saturating_sub(field));
                    let skipped = within.unwrap_or(usize::MAX);
                    for (to, from) in into.iter_mut().zip(value().skip(skipped)) {
                        *to = from;
                    }
                }
            }
        }
    }

    /// Writes from byte `offset` of the structure. Says what the transport is to do;
    /// what a write has after the status is lost then, as by a reset.
    pub(super) fn write(&mut self, offset: u64, from: &[u8]) -> Action {
        let mut action = Action::None;
        for (field, bytes) in FIELDS {
            let at = field.checked_sub(offset).map(usize::try_from);
            let Some(Ok(at)) = at else { continue };
            let end = at.saturating_add(bytes);
            let Some(written) = from.get(at..end) else {
                continue;
            };
            let mut value = [0; size_of::<u32>()];
            for (to, from) in value.iter_mut().zip(written) {
                *to = *from;
            }
            let value = u32::from_le_bytes(value);
            if field == DEVICE_STATUS {
                action = self.negotiation.set_status(value);
            } else {
                self.set_field(field, value);
            }
            if action != Action::None {
                return action;
            }
        }
        action
    }

    fn field(&self, field: u64) -> u32 {
        let negotiation = &*self.negotiation;
        match field {
            DEVICE_FEATURE_SELECT => negotiation.device_features_sel(),
            DEVICE_FEATURE => negotiation.device_features(),
            DRIVER_FEATURE_SELECT => negotiation.driver_features_sel(),
            DRIVER_FEATURE => negotiation.driver_features(),
            CONFIG_MSIX_VECTOR => self.interrupts.vector(Event::Config).into(),
            NUM_QUEUES => negotiation.queue_count().into(),
            DEVICE_STATUS => negotiation.status(),
            CONFIG_GENERATION => negotiation.device().config_generation(),
            QUEUE_SELECT => negotiation.queue_sel(),
            QUEUE_SIZE => negotiation.queue_size(),
            QUEUE_MSIX_VECTOR => self
                .selected()
                .map_or(NO_VECTOR, |event| self.interrupts.vector(event))
                .into(),
            QUEUE_ENABLE => negotiation.queue_ready().into(),
            // Each queue has a notification of its own.
            QUEUE_NOTIFY_OFF => negotiation.selected().unwrap_or(0).into(),
            _ => address(field).map_or(0, |(address, half)| {
                let address = negotiation.queue_address(address);
                half_of(address, half)
            }),
        }
    }

    fn set_field(&mut self, field: u64, value: u32) {
        match field {
            DEVICE_FEATURE_SELECT => self.negotiation.set_device_features_sel(value),
            DRIVER_FEATURE_SELECT => self.negotiation.set_driver_features_sel(value),
            DRIVER_FEATURE => self.negotiation.set_driver_features(value),
            CONFIG_MSIX_VECTOR => self.set_vector(Some(Event::Config), value),
            QUEUE_SELECT => self.negotiation.set_queue_sel(value),
            QUEUE_SIZE => self.negotiation.set_queue_size(value),
            QUEUE_MSIX_VECTOR => self.set_vector(self.selected(), value),
            // A driver must not write 0 (4.1.4.3.2).
            QUEUE_ENABLE if value == 1 => self.negotiation.set_queue_ready(true),
            _ => {
                if let Some((address, half)) = address(field) {
                    self.negotiation.set_queue_address(address, half, value);
                }
            }
        }
    }

    fn selected(&self) -> Option<Event> {
        self.negotiation.selected().map(Event::Used)
    }

    fn set_vector(&self, event: Option<Event>, vector: u32) {
        if let (Some(event), Ok(vector)) = (event, u16::try_from(vector))
            && !self.negotiation.is_resetting()
        {
            self.interrupts.set_vector(event, vector);
        }
    }
}

/// Which address a field holds, and which half of it.
fn address(field: u64) -> Option<(Address, Half)> {
    Some(match field {
        QUEUE_DESC => (Address::Desc, Half::Low),
        QUEUE_DRIVER => (Address::Driver, Half::Low),
        QUEUE_DEVICE => (Address::Device, Half::Low),
        _ => match field.checked_sub(4)? {
            QUEUE_DESC => (Address::Desc, Half::High),
            QUEUE_DRIVER => (Address::Driver, Half::High),
            QUEUE_DEVICE => (Address::Device, Half::High),
            _ => return None,
        },
    })
}

#[allow(clippy::cast_possible_truncation, reason = "a half is wanted")]
fn half_of(address: u64, half: Half) -> u32 {
    match half {
        Half::Low => address as u32,
        Half::High => (address >> 32) as u32,
    }
}
