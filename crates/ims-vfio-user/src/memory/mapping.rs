// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One file, mapped.

use std::os::fd::OwnedFd;
use std::ptr::{NonNull, null_mut};

use ims_vfio::dma::Backing;
use rustix::fs::fstatfs;
use rustix::mm::{MapFlags, mmap, munmap};
use rustix::param::page_size;
use vm_memory::volatile_memory::VolatileSlice;

use super::error::MemoryError;
use super::fault;
use super::registry::{Range, Registered, protection};

/// `f_type` of hugetlbfs (Linux `include/uapi/linux/magic.h`).
const HUGETLBFS: u64 = 0x9584_58f6;

/// A whole file in this process's memory; unmapped when dropped.
pub(super) struct Mapping {
    start: NonNull<u8>,
    length: usize,
    /// `None` only while it is being dropped.
    registered: Option<Registered>,
}

// SAFETY: the mapping is shared memory at an address that is no thread's own. It is
// only lent as volatile slices, which any thread may use at any time.
unsafe impl Send for Mapping {}
// SAFETY: as above; `&Mapping` gives nothing else.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps the first `length` bytes of `file`, of which there are so many now.
    pub(super) fn new(file: &OwnedFd, length: u64, writable: bool) -> Result<Self, MemoryError> {
        fault::install().map_err(MemoryError::Handler)?;
        let length = usize::try_from(length).map_err(|_| MemoryError::Range)?;
        let page = page_of(file)?;
        // SAFETY: no address is asked for, so nothing of this process is replaced.
        let start = unsafe {
            mmap(
                null_mut(),
                length,
                protection(writable),
                MapFlags::SHARED,
                file,
                0,
            )
        };
        let start = start.map_err(MemoryError::Map)?;
        let start = NonNull::new(start.cast::<u8>()).ok_or(MemoryError::Range)?;
        let registered = Registered::new(Range {
            start: start.as_ptr() as usize,
            length: length.next_multiple_of(page),
            page,
            writable,
        });
        Ok(Self {
            start,
            length,
            registered: Some(registered),
        })
    }

    /// How many bytes of the file there were.
    pub(super) fn length(&self) -> u64 {
        u64::try_from(self.length).unwrap_or(u64::MAX)
    }
}

impl Backing for Mapping {
    fn slice(&self, offset: u64, length: usize) -> Option<VolatileSlice<'_>> {
        let offset = usize::try_from(offset).ok()?;
        let end = offset.checked_add(length)?;
        if end > self.length {
            return None;
        }
        // SAFETY: `offset` is within the mapping, checked above, so the address is,
        // too.
        let start = unsafe { self.start.as_ptr().add(offset) };
        // SAFETY: `length` bytes from there are within the mapping, which stays as
        // long as `self` is borrowed. It is shared with others who write to it, and
        // so only ever used as volatile slices. If the file is made shorter, the
        // handler of `fault` puts other memory in place.
        Some(unsafe { VolatileSlice::new(start, length) })
    }

    fn lost(&self) -> bool {
        self.registered.as_ref().is_some_and(Registered::is_lost)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // First: behind it the addresses may be anybody's, and a fault there is not
        // ours to mend.
        drop(self.registered.take());
        // SAFETY: the mapping is this value's alone, and nothing borrows it any
        // more; what the handler may have put in its place covers the same range.
        let unmapped = unsafe { munmap(self.start.as_ptr().cast(), self.length) };
        if let Err(errno) = unmapped {
            tracing::warn!(%errno, "a client's file could not be unmapped");
        }
    }
}

/// Bytes of the pages that mappings of `file` are made of.
fn page_of(file: &OwnedFd) -> Result<usize, MemoryError> {
    let system = fstatfs(file).map_err(MemoryError::Descriptor)?;
    if u64::try_from(system.f_type) != Ok(HUGETLBFS) {
        return Ok(page_size());
    }
    usize::try_from(system.f_bsize)
        .ok()
        .filter(|size| size.is_power_of_two())
        .ok_or(MemoryError::NotMemory)
}
