// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A session that keeps what it used.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use ims::segments::Segments;
use vm_memory::volatile_memory::VolatileSlice;

use super::Inner;
use super::error::DmaError;
use super::gate::Pass;
use super::map::Access;
use super::piece::{Pin, find};

/// A session that keeps every map it used until it is dropped, and so lends plain
/// slices: for models that take memory as slices with their own lifetime.
///
/// A map that is unmapped meanwhile is answered when this is dropped.
///
/// # Concurrency
/// All methods on any thread; a lock inside is taken for the search only.
pub struct Pinned {
    inner: Arc<Inner>,
    index: Mutex<Index>,
    /// In the order of their use. None is removed, or moves, before the end.
    pins: Segments<OnceLock<Pin>>,
    // After the pins: they are part of the session.
    pass: Pass,
}

/// Which pin begins at an address, and how many there are.
#[derive(Default)]
struct Index {
    by_address: BTreeMap<u64, u32>,
    count: u32,
    /// After how many maps an address was not found last.
    missed: Option<u64>,
}

impl fmt::Debug for Pinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pinned")
            .field("ended", &self.pass.is_ended())
            .finish_non_exhaustive()
    }
}

impl Pinned {
    pub(super) fn new(inner: Arc<Inner>, pass: Pass) -> Self {
        Self {
            inner,
            index: Mutex::new(Index::default()),
            pins: Segments::new(),
            pass,
        }
    }

    /// Whether the device was stopped since the session began; all accesses fail
    /// then.
    pub fn is_ended(&self) -> bool {
        self.pass.is_ended()
    }

    /// The longest contiguous piece of memory that begins at `address`: at most
    /// `length` bytes, and at least one if `length` is not 0.
    ///
    /// # Errors
    /// [`DmaError`] if not even the first byte may be accessed, or only by message.
    pub fn window(
        &self,
        address: u64,
        length: usize,
        wanted: Access,
    ) -> Result<VolatileSlice<'_>, DmaError> {
        let pin = self.pin(address)?;
        let entry = pin.entry();
        if let Err(denied) = entry.check(address, wanted) {
            self.index().missed = None;
            return Err(denied);
        }
        entry.slice(address, entry.run(address, length))
    }

    /// Looks whether all memory used so far was there all the time; what was read
    /// is not to be trusted otherwise.
    ///
    /// # Errors
    /// [`DmaError::Lost`].
    pub fn check(&self) -> Result<(), DmaError> {
        let pins = self.pins.iter().map_while(OnceLock::get);
        for pin in pins {
            pin.entry().check_lost(pin.entry().first)?;
        }
        Ok(())
    }

    /// After [`DmaError::Unmapped`]: waits until something is mapped that was not
    /// there when it was said, at most `limit`. To be tried again, and waited for
    /// again.
    ///
    /// False, at once or later, where waiting is no use, or would be in the way of
    /// others: no address was missing, the session has ended, or a map that it keeps
    /// was unmapped, which is not answered before this is dropped.
    pub fn wait(&self, limit: Duration) -> bool {
        let Some(missed) = self.index().missed else {
            return false;
        };
        let mut is_in_the_way = false;
        self.inner.arrivals.wait(limit, || {
            // Under the lock of the maps: no change goes unseen.
            let made = self.inner.read().made;
            is_in_the_way = self.is_in_the_way();
            is_in_the_way || made != missed
        });
        !is_in_the_way
    }

    /// Whether somebody waits until this is dropped.
    fn is_in_the_way(&self) -> bool {
        let mut pins = self.pins.iter().map_while(OnceLock::get);
        self.pass.is_ended() || pins.any(|pin| pin.entry().gate.is_closed())
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pin(&self, address: u64) -> Result<&Pin, DmaError> {
        let mut index = self.index();
        if !self.pass.is_ended() {
            let known = index.by_address.range(..=address).next_back();
            let known = known.and_then(|(_, at)| self.pins.get(*at)?.get());
            // A map on its way out is not entered again; another may be in its place.
            let good = |pin: &&Pin| pin.entry().holds(address) && !pin.entry().gate.is_closed();
            if let Some(pin) = known.filter(good) {
                return Ok(pin);
            }
        }
        let state = self.inner.read();
        let found = find(&state, &self.pass, address);
        let made = state.made;
        drop(state);
        if let Err(DmaError::Unmapped { .. }) = found {
            index.missed = Some(made);
        }
        let found = found?;
        let next = index.count;
        index.count = next.checked_add(1).ok_or(DmaError::TooLong)?;
        self.pins.grow(index.count, |_| OnceLock::new());
        index.by_address.insert(found.entry().first, next);
        let place = self.pins.get(next).ok_or(DmaError::TooLong)?;
        Ok(place.get_or_init(|| found))
    }
}
