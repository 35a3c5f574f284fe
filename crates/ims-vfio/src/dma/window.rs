// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Memory lent to a session.

use std::fmt;
use std::marker::PhantomData;

use vm_memory::volatile_memory::VolatileSlice;

use super::error::DmaError;
use super::piece::Pin;
use super::session::Session;

/// Memory lent to a session: its map is not given back while this is there.
pub struct Window<'a> {
    pin: Pin,
    address: u64,
    length: usize,
    // The session's own pass must outlast it.
    _session: PhantomData<&'a Session>,
}

impl<'a> Window<'a> {
    /// The `length` bytes at `address`, which lie in the pinned map.
    pub(super) fn new(
        _session: &'a Session,
        pin: Pin,
        address: u64,
        length: usize,
    ) -> Result<Self, DmaError> {
        pin.entry().slice(address, length)?;
        Ok(Self {
            pin,
            address,
            length,
            _session: PhantomData,
        })
    }
}

impl fmt::Debug for Window<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Window")
            .field("address", &self.address)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

impl Window<'_> {
    /// The bytes. Use its atomic stores and loads for what is shared with the guest
    /// at the same time.
    ///
    /// # Errors
    /// [`DmaError::Lost`] if the backing broke its promise that what was there stays.
    pub fn slice(&self) -> Result<VolatileSlice<'_>, DmaError> {
        self.pin.entry().slice(self.address, self.length)
    }

    /// How many bytes it has.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether it has none, because none were asked for.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Looks whether the memory was there all the time; what was read is not to be
    /// trusted otherwise.
    ///
    /// # Errors
    /// [`DmaError::Lost`].
    pub fn check(&self) -> Result<(), DmaError> {
        self.pin.entry().check_lost(self.address)
    }
}
