// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A guest's store as bytes and flags, without any atomics or chunks.

use std::vec::Vec;

use crate::domain::{Counts, Raised};
use crate::message::Message;
use crate::sink::{Acceptance, Refusal};

#[derive(Debug, Clone)]
pub(crate) struct Model {
    /// As written; pending stands apart.
    pub(crate) bytes: Vec<u8>,
    pub(crate) pending: Vec<bool>,
    pub(crate) enabled: bool,
    pub(crate) busy: bool,
    pub(crate) taken: Vec<Message>,
    pub(crate) counts: Vec<Counts>,
    /// How many of each slot's messages the sink took.
    pub(crate) fresh: Vec<u64>,
    pub(crate) strays: u64,
}

impl Model {
    pub(crate) fn new(slots: usize) -> Self {
        let mut slot = [0; 16];
        slot[12] = 1;
        Self {
            bytes: slot.repeat(slots),
            pending: vec![false; slots],
            enabled: false,
            busy: false,
            taken: Vec::new(),
            counts: vec![Counts::default(); slots],
            fresh: vec![0; slots],
            strays: 0,
        }
    }

    pub(crate) fn sends(&self, slot: usize) -> bool {
        self.enabled && self.bytes[slot * 16 + 12] & 1 == 0
    }

    /// What becomes of an interrupt that was counted.
    fn deliver(&mut self, slot: usize) -> Raised {
        if !self.sends(slot) || self.busy {
            let met = core::mem::replace(&mut self.pending[slot], true);
            let counts = &mut self.counts[slot];
            if met {
                counts.coalesced += 1;
                return Raised::Met;
            }
            counts.held += 1;
            return Raised::Held;
        }
        let slot_bytes = &self.bytes[slot * 16..][..16];
        self.taken.push(Message {
            address: u64::from_le_bytes(slot_bytes[..8].try_into().unwrap()),
            data: u32::from_le_bytes(slot_bytes[8..12].try_into().unwrap()),
        });
        self.fresh[slot] += 1;
        Raised::Sent(Acceptance::Fresh)
    }

    pub(crate) fn raise(&mut self, slot: usize) -> Raised {
        if slot >= self.pending.len() {
            self.strays += 1;
            return Raised::Refused(Refusal::NotAllocated);
        }
        self.counts[slot].raised += 1;
        self.deliver(slot)
    }

    pub(crate) fn retry(&mut self, slot: usize) {
        if slot < self.pending.len() && self.sends(slot) && self.pending[slot] {
            self.pending[slot] = false;
            let _ = self.deliver(slot);
        }
    }

    /// Makes a change, and delivers what it no longer holds back.
    fn change(&mut self, change: impl FnOnce(&mut Self)) {
        let slots = 0..self.pending.len();
        let before: Vec<bool> = slots.clone().map(|slot| self.sends(slot)).collect();
        change(self);
        for slot in slots {
            if !before[slot] && self.sends(slot) && self.pending[slot] {
                self.pending[slot] = false;
                let _ = self.deliver(slot);
            }
        }
    }

    pub(crate) fn write(&mut self, offset: u64, bytes: &[u8]) {
        self.change(|model| {
            for (at, byte) in (offset as usize..).zip(bytes) {
                let Some(to) = model.bytes.get_mut(at) else {
                    return;
                };
                match at % 16 {
                    12 => *to = byte & 1,
                    13.. => {}
                    _ => *to = *byte,
                }
            }
        });
    }

    pub(crate) fn set_enabled(&mut self, enabled: bool) {
        self.change(|model| model.enabled = enabled);
    }

    /// All slots as the guest reads them.
    pub(crate) fn slots(&self) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        for (slot, pending) in self.pending.iter().enumerate() {
            bytes[slot * 16 + 12] |= u8::from(*pending) << 1;
        }
        bytes
    }

    fn drop_pending(&mut self) {
        for (pending, counts) in self.pending.iter_mut().zip(&mut self.counts) {
            counts.dropped += u64::from(*pending);
            *pending = false;
        }
    }

    pub(crate) fn reset(&mut self) {
        self.drop_pending();
        self.bytes = Self::new(self.pending.len()).bytes;
        self.enabled = false;
    }

    /// Takes over what the guest sees of `saved`.
    pub(crate) fn restore(&mut self, saved: &Self) {
        self.reset();
        self.bytes.clone_from(&saved.bytes);
        for slot in 0..saved.pending.len() {
            if saved.pending[slot] {
                let _ = self.raise(slot);
            }
        }
        self.set_enabled(saved.enabled);
    }
}
