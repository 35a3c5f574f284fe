// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A guest's MSI-X as bytes and flags, without any atomics.

use std::vec::Vec;

use crate::domain::{Counts, Raised};
use crate::message::Message;
use crate::sink::{Acceptance, Refusal};

#[derive(Debug, Clone)]
pub(super) struct Model {
    pub(super) table: Vec<u8>,
    pub(super) pending: Vec<bool>,
    pub(super) enabled: bool,
    pub(super) function_masked: bool,
    pub(super) busy: bool,
    pub(super) taken: Vec<Message>,
    pub(super) counts: Vec<Counts>,
    /// How many of each vector's messages the sink took.
    pub(super) fresh: Vec<u64>,
    pub(super) strays: u64,
}

impl Model {
    pub(super) fn new(vectors: usize) -> Self {
        let mut entry = [0; 16];
        entry[12] = 1;
        Self {
            table: entry.repeat(vectors),
            pending: vec![false; vectors],
            enabled: false,
            function_masked: false,
            busy: false,
            taken: Vec::new(),
            counts: vec![Counts::default(); vectors],
            fresh: vec![0; vectors],
            strays: 0,
        }
    }

    fn sends(&self, vector: usize) -> bool {
        self.enabled && !self.function_masked && self.table[vector * 16 + 12] & 1 == 0
    }

    /// What becomes of an interrupt that was counted.
    fn deliver(&mut self, vector: usize) -> Raised {
        if !self.sends(vector) || self.busy {
            let met = core::mem::replace(&mut self.pending[vector], true);
            let counts = &mut self.counts[vector];
            if met {
                counts.coalesced += 1;
                return Raised::Met;
            }
            counts.held += 1;
            return Raised::Held;
        }
        let entry = &self.table[vector * 16..][..16];
        self.taken.push(Message {
            address: u64::from_le_bytes(entry[..8].try_into().unwrap()),
            data: u32::from_le_bytes(entry[8..12].try_into().unwrap()),
        });
        self.fresh[vector] += 1;
        Raised::Sent(Acceptance::Fresh)
    }

    pub(super) fn raise(&mut self, vector: usize) -> Raised {
        if vector >= self.pending.len() {
            self.strays += 1;
            return Raised::Refused(Refusal::NotAllocated);
        }
        self.counts[vector].raised += 1;
        self.deliver(vector)
    }

    pub(super) fn retry(&mut self, vector: usize) {
        if vector < self.pending.len() && self.sends(vector) && self.pending[vector] {
            self.pending[vector] = false;
            let _ = self.deliver(vector);
        }
    }

    /// Makes a change, and delivers what it no longer holds back.
    fn change(&mut self, change: impl FnOnce(&mut Self)) {
        let vectors = 0..self.pending.len();
        let before: Vec<bool> = vectors.clone().map(|vector| self.sends(vector)).collect();
        change(self);
        for vector in vectors {
            if !before[vector] && self.sends(vector) && self.pending[vector] {
                self.pending[vector] = false;
                let _ = self.deliver(vector);
            }
        }
    }

    pub(super) fn write_table(&mut self, offset: u64, bytes: &[u8]) {
        self.change(|model| {
            for (at, byte) in (offset as usize..).zip(bytes) {
                let Some(to) = model.table.get_mut(at) else {
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

    pub(super) fn write_config(&mut self, offset: u16, bytes: &[u8]) {
        for (at, byte) in (offset..).zip(bytes) {
            if at == 3 {
                self.set_control(byte & 0x80 != 0, byte & 0x40 != 0);
            }
        }
    }

    fn set_control(&mut self, enabled: bool, function_masked: bool) {
        self.change(|model| {
            model.enabled = enabled;
            model.function_masked = function_masked;
        });
    }

    pub(super) fn pba(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.pending.len().div_ceil(64) * 8];
        for (vector, pending) in self.pending.iter().enumerate() {
            bytes[vector / 8] |= u8::from(*pending) << (vector % 8);
        }
        bytes
    }

    fn drop_pending(&mut self) {
        for (pending, counts) in self.pending.iter_mut().zip(&mut self.counts) {
            counts.dropped += u64::from(*pending);
            *pending = false;
        }
    }

    pub(super) fn reset(&mut self) {
        self.drop_pending();
        let fresh = Self::new(self.pending.len());
        self.table = fresh.table;
        (self.enabled, self.function_masked) = (false, false);
    }

    /// Takes over what the guest sees of `saved`.
    pub(super) fn restore(&mut self, saved: &Self) {
        self.drop_pending();
        (self.enabled, self.function_masked) = (false, false);
        self.table = saved.table.clone();
        for vector in 0..saved.pending.len() {
            if saved.pending[vector] {
                let _ = self.raise(vector);
            }
        }
        self.set_control(saved.enabled, saved.function_masked);
    }
}
