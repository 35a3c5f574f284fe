// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A domain's store and port as one, whatever their types.

use super::port::Port;
use super::record::Counts;
use crate::grace::{Grace, Raiser};
use crate::message::Message;
use crate::sink::MessageSink;
use crate::store::{Cookie, Effects, Store, StoreError};

/// What the control half does to slots.
pub(super) trait Backing: Send {
    /// Makes slot `index` a masked one, for a new owner.
    fn prepare(&mut self, index: u32, cookie: Cookie) -> Result<(), StoreError>;
    /// Raises of `index` count, from zero.
    fn open(&self, index: u32);
    /// Raises of `index` are nobody's.
    fn close(&self, index: u32);
    fn program(&mut self, index: u32, message: Message);
    fn mask(&mut self, index: u32);
    fn unmask(&mut self, index: u32);
    /// Keeps the slot from sending, whatever its mask says, until it is thawed.
    fn freeze(&mut self, index: u32);
    fn thaw(&mut self, index: u32);
    fn clear(&mut self, index: u32);
    /// Makes what was done effective and delivers what was kept; says how many
    /// kept raises were dropped. On an error what was done is given up.
    fn commit(&mut self, grace: &Grace, raiser: &mut Raiser) -> Result<u32, StoreError>;
    /// Wipes a slot that is cleared and quiet.
    fn release(&mut self, index: u32);
    /// The counts of an interrupt that is closed and quiet; they are forgotten.
    fn take_counts(&self, index: u32) -> Counts;
}

/// The only implementation.
pub(super) struct Backed<S: Store, K> {
    store: S,
    port: Port<S::Slots, K>,
    effects: Effects,
}

impl<S: Store, K: MessageSink> Backed<S, K> {
    pub(super) fn new(store: S, port: Port<S::Slots, K>) -> Self {
        Self {
            store,
            port,
            effects: Effects::default(),
        }
    }
}

impl<S: Store, K: MessageSink> Backed<S, K> {
    /// Counts what was merged and dropped, and delivers what was kept; says how
    /// many were dropped.
    #[cold]
    fn apply_effects(&mut self, raiser: &mut Raiser) -> u32 {
        for index in self.effects.merged.drain(..) {
            self.port.merged(index);
        }
        let mut dropped = 0;
        for index in self.effects.dropped.drain(..) {
            self.port.dropped(index);
            dropped += 1;
        }
        if !self.effects.replay.is_empty() {
            let flight = raiser.enter();
            for index in self.effects.replay.drain(..) {
                self.port.replay(&flight, index);
            }
        }
        dropped
    }
}

impl<S: Store, K: MessageSink + Send> Backing for Backed<S, K> {
    fn prepare(&mut self, index: u32, cookie: Cookie) -> Result<(), StoreError> {
        self.store.prepare(index, cookie)
    }

    fn open(&self, index: u32) {
        self.port.open(index);
    }

    fn close(&self, index: u32) {
        self.port.close(index);
    }

    fn program(&mut self, index: u32, message: Message) {
        self.store.program(index, message);
    }

    fn mask(&mut self, index: u32) {
        self.store.mask(index);
    }

    fn unmask(&mut self, index: u32) {
        self.store.unmask(index, &mut self.effects);
    }

    fn freeze(&mut self, index: u32) {
        self.store.freeze(index);
    }

    fn thaw(&mut self, index: u32) {
        self.store.thaw(index, &mut self.effects);
    }

    fn clear(&mut self, index: u32) {
        self.store.clear(index, &mut self.effects);
    }

    fn commit(&mut self, grace: &Grace, raiser: &mut Raiser) -> Result<u32, StoreError> {
        if let Err(error) = self.store.sync(grace, &mut self.effects) {
            self.store.revert();
            return Err(error);
        }
        let Effects {
            replay,
            merged,
            dropped,
        } = &self.effects;
        // Nearly always, and draining what is empty is not free.
        if replay.is_empty() && merged.is_empty() && dropped.is_empty() {
            return Ok(0);
        }
        Ok(self.apply_effects(raiser))
    }

    fn release(&mut self, index: u32) {
        self.store.release(index);
    }

    fn take_counts(&self, index: u32) -> Counts {
        self.port.take_counts(index)
    }
}
