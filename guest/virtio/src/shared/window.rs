// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A piece of a VMM's memory.

use core::fmt;
use core::ops::Deref;
use core::sync::atomic::{AtomicU16, AtomicU32, AtomicU64};

use vm_memory::{
    AtomicInteger, Bytes, GuestAddress, GuestMemoryBackend, GuestMemoryMmap, GuestMemoryRegion,
    VolatileMemory,
};

use super::Shared;

/// `length` bytes of guest memory, of one region, at the address the guest knows them
/// by. `M` is a reference to the memory, or an `Arc` of it.
#[derive(Clone)]
pub struct Window<M> {
    memory: M,
    address: u64,
    length: usize,
}

impl<M> fmt::Debug for Window<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Window")
            .field("address", &self.address)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

impl<M: Deref<Target = GuestMemoryMmap<()>>> Window<M> {
    /// `None` if they are not all in one region.
    pub fn new(memory: M, address: u64, length: usize) -> Option<Self> {
        let region = memory.find_region(GuestAddress(address))?;
        let end = address.checked_add(u64::try_from(length).ok()?.checked_sub(1)?)?;
        if end > region.last_addr().0 {
            return None;
        }
        Some(Self {
            memory,
            address,
            length,
        })
    }

    fn word<T: AtomicInteger>(&self, offset: usize) -> Option<&T> {
        let address = GuestAddress(self.inside(offset, size_of::<T>())?);
        let region = self.memory.find_region(address)?;
        let offset = usize::try_from(address.0.checked_sub(region.start_addr().0)?).ok()?;
        region.get_atomic_ref(offset).ok()
    }

    /// The address of bytes that are all inside.
    fn inside(&self, offset: usize, bytes: usize) -> Option<u64> {
        let end = offset.checked_add(bytes)?;
        let address = self.address.checked_add(u64::try_from(offset).ok()?)?;
        (end <= self.length).then_some(address)
    }
}

impl<M: Deref<Target = GuestMemoryMmap<()>>> Shared for Window<M> {
    fn bus_address(&self) -> u64 {
        self.address
    }

    fn len(&self) -> usize {
        self.length
    }

    fn word16(&self, offset: usize) -> Option<&AtomicU16> {
        self.word(offset)
    }

    fn word32(&self, offset: usize) -> Option<&AtomicU32> {
        self.word(offset)
    }

    fn word64(&self, offset: usize) -> Option<&AtomicU64> {
        self.word(offset)
    }

    fn read(&self, offset: usize, into: &mut [u8]) -> Option<()> {
        let address = self.inside(offset, into.len())?;
        self.memory.read_slice(into, GuestAddress(address)).ok()
    }

    fn write(&self, offset: usize, from: &[u8]) -> Option<()> {
        let address = self.inside(offset, from.len())?;
        self.memory.write_slice(from, GuestAddress(address)).ok()
    }
}
