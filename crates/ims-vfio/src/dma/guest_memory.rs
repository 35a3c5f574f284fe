// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A session as the memory that crates of the rust-vmm family take.
//!
//! A range may cross from one map into the next; each map is a slice of its own.
//! What only the client has is not among it: such a range is
//! [`HostAddressNotAvailable`](vm_memory::GuestMemoryError::HostAddressNotAvailable).

use std::iter::FusedIterator;

use vm_memory::guest_memory::GuestMemorySliceIterator;
use vm_memory::volatile_memory::VolatileSlice;
use vm_memory::{GuestAddress, GuestMemory, GuestMemoryError, GuestMemoryMmap, Permissions};

use super::error::DmaError;
use super::map::Access;
use super::pinned::Pinned;

impl From<Permissions> for Access {
    fn from(permissions: Permissions) -> Self {
        Self {
            read: permissions.allow(Permissions::Read),
            write: permissions.allow(Permissions::Write),
        }
    }
}

impl From<DmaError> for GuestMemoryError {
    fn from(error: DmaError) -> Self {
        match error {
            DmaError::Unmapped { address } => Self::InvalidGuestAddress(GuestAddress(address)),
            DmaError::Wraps => Self::GuestAddressOverflow,
            DmaError::NoMemory { .. } => Self::HostAddressNotAvailable,
            other => Self::IOError(other.errno().into()),
        }
    }
}

impl GuestMemory for Pinned {
    /// None is ever given: maps come and go.
    type PhysicalMemory = GuestMemoryMmap<()>;
    type Bitmap = ();

    fn check_range(&self, addr: GuestAddress, count: usize, access: Permissions) -> bool {
        Slices::new(self, addr, count, access).all(|slice| slice.is_ok())
    }

    fn get_slices<'a>(
        &'a self,
        addr: GuestAddress,
        count: usize,
        access: Permissions,
    ) -> Result<impl GuestMemorySliceIterator<'a, ()>, GuestMemoryError> {
        Ok(Slices::new(self, addr, count, access))
    }
}

/// The slices of a range, map by map; nothing comes after the first error.
struct Slices<'a> {
    pinned: &'a Pinned,
    /// Where the next one begins; `None` above the last address.
    address: Option<u64>,
    left: usize,
    wanted: Access,
}

impl<'a> Slices<'a> {
    fn new(pinned: &'a Pinned, address: GuestAddress, count: usize, wanted: Permissions) -> Self {
        Self {
            pinned,
            address: Some(address.0),
            left: count,
            wanted: wanted.into(),
        }
    }

    fn advance(&mut self) -> Result<VolatileSlice<'a>, DmaError> {
        let address = self.address.ok_or(DmaError::Wraps)?;
        let slice = self.pinned.window(address, self.left, self.wanted)?;
        self.left = self.left.saturating_sub(slice.len());
        self.address = u64::try_from(slice.len())
            .ok()
            .and_then(|length| address.checked_add(length));
        Ok(slice)
    }
}

impl<'a> Iterator for Slices<'a> {
    type Item = Result<VolatileSlice<'a>, GuestMemoryError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        let next = self.advance();
        if next.is_err() {
            self.left = 0;
        }
        Some(next.map_err(GuestMemoryError::from))
    }
}

impl FusedIterator for Slices<'_> {}

impl<'a> GuestMemorySliceIterator<'a, ()> for Slices<'a> {}
