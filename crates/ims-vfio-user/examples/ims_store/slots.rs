// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The store: a message a slot, masked or not, and whether a raise is kept.

use ims::message::Message;

use crate::registers::{
    CONTROL_MASK, CONTROL_PENDING, SLOT_ADDRESS_HIGH, SLOT_ADDRESS_LOW, SLOT_CONTROL, SLOT_DATA,
    SLOT_SIZE,
};

#[derive(Debug, Clone, Copy)]
struct Slot {
    message: Message,
    masked: bool,
    pending: bool,
}

/// What a raise comes to.
pub(crate) enum Raise {
    Send(Message),
    Kept,
    NoSuchSlot,
}

/// All slots, masked at first.
pub(crate) struct Slots(Vec<Slot>);

impl Slots {
    pub(crate) fn new(count: u32) -> Self {
        let slot = Slot {
            message: Message {
                address: 0,
                data: 0,
            },
            masked: true,
            pending: false,
        };
        Self((0..count).map(|_| slot).collect())
    }

    pub(crate) fn raise(&mut self, index: u32) -> Raise {
        match self.slot(index.into()) {
            None => Raise::NoSuchSlot,
            Some(slot) if slot.masked => {
                slot.pending = true;
                Raise::Kept
            }
            Some(slot) => Raise::Send(slot.message),
        }
    }

    /// The word at `offset` of the store.
    pub(crate) fn read(&mut self, offset: u64) -> u32 {
        let Some(slot) = self.slot(offset / SLOT_SIZE) else {
            return 0;
        };
        let [a, b, c, d, e, f, g, h] = slot.message.address.to_le_bytes();
        match offset % SLOT_SIZE {
            SLOT_ADDRESS_LOW => u32::from_le_bytes([a, b, c, d]),
            SLOT_ADDRESS_HIGH => u32::from_le_bytes([e, f, g, h]),
            SLOT_DATA => slot.message.data,
            SLOT_CONTROL => {
                let mask = if slot.masked { CONTROL_MASK } else { 0 };
                let pending = if slot.pending { CONTROL_PENDING } else { 0 };
                mask | pending
            }
            _ => 0,
        }
    }

    /// Writes the word at `offset`; what an unmask lets out is to be sent.
    pub(crate) fn write(&mut self, offset: u64, value: u32) -> Option<Message> {
        let slot = self.slot(offset / SLOT_SIZE)?;
        let address = &mut slot.message.address;
        match offset % SLOT_SIZE {
            SLOT_ADDRESS_LOW => *address = *address >> 32 << 32 | u64::from(value),
            SLOT_ADDRESS_HIGH => *address = *address << 32 >> 32 | u64::from(value) << 32,
            SLOT_DATA => slot.message.data = value,
            SLOT_CONTROL => {
                slot.masked = value & CONTROL_MASK != 0;
                if !slot.masked && std::mem::take(&mut slot.pending) {
                    return Some(slot.message);
                }
            }
            _ => {}
        }
        None
    }

    fn slot(&mut self, index: u64) -> Option<&mut Slot> {
        self.0.get_mut(usize::try_from(index).ok()?)
    }
}
