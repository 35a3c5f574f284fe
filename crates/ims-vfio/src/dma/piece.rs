// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What an access touches, map by map, and being in those maps.

use std::sync::Arc;

use vm_memory::volatile_memory::VolatileSlice;

use super::State;
use super::error::DmaError;
use super::gate::Pass;
use super::map::Entry;
use super::remote::Remote;

/// Being inside a map: it is not given back while this is there.
pub(crate) struct Pin {
    entry: Arc<Entry>,
}

impl Pin {
    pub(crate) fn new(entry: &Arc<Entry>) -> Option<Self> {
        entry.gate.enter().then(|| Self {
            entry: Arc::clone(entry),
        })
    }

    pub(crate) fn entry(&self) -> &Entry {
        &self.entry
    }

    pub(crate) fn shared(&self) -> &Arc<Entry> {
        &self.entry
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.entry.gate.leave();
    }
}

/// What one access touches in one map.
pub(crate) struct Piece {
    pub(crate) pin: Pin,
    /// Address of the first byte.
    pub(crate) address: u64,
    /// Where it begins in the access.
    pub(crate) at: usize,
    pub(crate) length: usize,
}

impl Piece {
    fn slice(&self) -> Result<VolatileSlice<'_>, DmaError> {
        self.pin.entry().slice(self.address, self.length)
    }

    /// Its part of an access's bytes.
    pub(crate) fn part<'a>(&self, data: &'a [u8]) -> &'a [u8] {
        data.get(self.at..self.at.saturating_add(self.length))
            .unwrap_or_default()
    }

    fn part_mut<'a>(&self, data: &'a mut [u8]) -> &'a mut [u8] {
        data.get_mut(self.at..self.at.saturating_add(self.length))
            .unwrap_or_default()
    }

    pub(crate) fn copy_out(&self, data: &mut [u8]) -> Result<(), DmaError> {
        self.slice()?.copy_to(self.part_mut(data));
        self.pin.entry().check_lost(self.address)
    }

    pub(crate) fn copy_in(&self, data: &[u8]) -> Result<(), DmaError> {
        self.slice()?.copy_from(self.part(data));
        self.pin.entry().check_lost(self.address)
    }

    pub(crate) fn by_message(&self) -> bool {
        self.pin.entry().by_message()
    }
}

/// All that one access touches, in order. Nothing is allocated for one map.
#[derive(Default)]
pub(crate) struct Pieces {
    first: Option<Piece>,
    rest: Vec<Piece>,
    /// Whom messages go to, if any piece needs one.
    pub(crate) remote: Option<Arc<dyn Remote>>,
}

impl Pieces {
    pub(crate) fn push(&mut self, piece: Piece) {
        if self.first.is_none() {
            self.first = Some(piece);
        } else {
            self.rest.push(piece);
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Piece> {
        self.first.iter().chain(&self.rest)
    }

    pub(crate) fn into_iter(self) -> impl Iterator<Item = Piece> {
        self.first.into_iter().chain(self.rest)
    }
}

/// A pin of the map that holds `address`, found in the tree.
pub(crate) fn find(state: &State, pass: &Pass, address: u64) -> Result<Pin, DmaError> {
    // Under the lock: who ends sessions changes the maps only after it has said so.
    if pass.is_ended() {
        return Err(DmaError::Ended);
    }
    let entry = state.maps.find(address);
    entry
        .and_then(Pin::new)
        .ok_or(DmaError::Unmapped { address })
}
