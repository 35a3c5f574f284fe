// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Memory the device is given: a file of this process's own, mapped by both.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::Ordering;

use ims_dsa::layout::{COMPLETION_SIZE, Completion};
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use vm_memory::{Bytes, FileOffset, GuestAddress, GuestMemoryBackend, GuestMemoryMmap};

use crate::error::DriverError;

/// Where the memory begins, as the device sees it. Not 0, so that a null address is
/// a fault.
pub(crate) const BASE: u64 = 0x10_0000;

/// Memory the device is given. Buffers are taken from it and not given back.
#[derive(Debug)]
pub struct Arena {
    memory: GuestMemoryMmap<()>,
    file: File,
    size: u64,
    used: u64,
}

/// A piece of an arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Buffer {
    /// Where, as the device sees it.
    pub address: u64,
    /// How many bytes.
    pub length: usize,
}

impl Arena {
    /// An arena of `size` bytes, rounded up to pages.
    ///
    /// # Errors
    /// [`DriverError::Connection`] with what the operating system says;
    /// [`DriverError::Memory`] if it cannot be mapped.
    pub fn new(size: u64) -> Result<Self, DriverError> {
        let size = size
            .max(1)
            .checked_next_multiple_of(0x1000)
            .ok_or(DriverError::Memory)?;
        let file = File::from(memfd_create("dsa-driver", MemfdFlags::CLOEXEC)?);
        ftruncate(&file, size)?;
        let length = usize::try_from(size).map_err(|_| DriverError::Memory)?;
        let place = FileOffset::new(file.try_clone()?, 0);
        let range = (GuestAddress(BASE), length, Some(place));
        let memory =
            GuestMemoryMmap::from_ranges_with_files([range]).map_err(|_| DriverError::Memory)?;
        Ok(Self {
            memory,
            file,
            size,
            used: 0,
        })
    }

    /// Where it begins, as the device sees it.
    pub fn base(&self) -> u64 {
        BASE
    }

    /// Its bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// What a server maps.
    pub fn file(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Takes `length` bytes, aligned to `align`, a power of two.
    ///
    /// # Errors
    /// [`DriverError::Memory`] if there are not so many left.
    pub fn take(&mut self, length: usize, align: u64) -> Result<Buffer, DriverError> {
        let start = self
            .used
            .checked_next_multiple_of(align.max(1))
            .ok_or(DriverError::Memory)?;
        let end = u64::try_from(length)
            .ok()
            .and_then(|length| start.checked_add(length))
            .filter(|end| *end <= self.size)
            .ok_or(DriverError::Memory)?;
        self.used = end;
        Ok(Buffer {
            address: BASE.saturating_add(start),
            length,
        })
    }

    /// Copies bytes in.
    ///
    /// # Errors
    /// [`DriverError::Memory`] if it is not all inside.
    pub fn write(&self, address: u64, bytes: &[u8]) -> Result<(), DriverError> {
        self.memory
            .write_slice(bytes, GuestAddress(address))
            .map_err(|_| DriverError::Memory)
    }

    /// Copies bytes out.
    ///
    /// # Errors
    /// [`DriverError::Memory`] if it is not all inside.
    pub fn read(&self, address: u64, bytes: &mut [u8]) -> Result<(), DriverError> {
        self.memory
            .read_slice(bytes, GuestAddress(address))
            .map_err(|_| DriverError::Memory)
    }

    /// The completion record at `address`, once it has been written: what the device
    /// wrote before is visible then.
    ///
    /// # Errors
    /// [`DriverError::Memory`] if it is not inside.
    pub fn completion(&self, address: u64) -> Result<Option<Completion>, DriverError> {
        let status: u8 = self
            .memory
            .load(GuestAddress(address), Ordering::Acquire)
            .map_err(|_| DriverError::Memory)?;
        if status == 0 {
            return Ok(None);
        }
        let mut bytes = [0; COMPLETION_SIZE];
        self.read(address, &mut bytes)?;
        Ok(Some(Completion::from_bytes(&bytes)))
    }

    /// Makes a record ready to be written.
    ///
    /// # Errors
    /// [`DriverError::Memory`] if it is not inside.
    pub fn clear(&self, address: u64) -> Result<(), DriverError> {
        self.write(address, &[0; COMPLETION_SIZE])
    }

    /// The memory itself, for who needs no copy.
    pub fn memory(&self) -> &impl GuestMemoryBackend {
        &self.memory
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_do_not_overlap_and_end_with_the_arena() {
        let mut arena = Arena::new(0x1000).unwrap();
        let first = arena.take(10, 1).unwrap();
        let second = arena.take(32, 32).unwrap();
        assert_eq!((first.address, second.address), (BASE, BASE + 32));
        assert!(matches!(arena.take(0x1000, 1), Err(DriverError::Memory)));
        assert!(matches!(
            arena.take(usize::MAX, 1),
            Err(DriverError::Memory)
        ));
        assert_eq!(arena.take(0x1000 - 64, 1).unwrap().length, 0x1000 - 64);
    }

    #[test]
    fn a_record_is_there_when_its_status_is() {
        let arena = Arena::new(64).unwrap();
        assert_eq!(arena.completion(BASE).unwrap(), None);
        arena.write(BASE, &[1]).unwrap();
        assert_eq!(arena.completion(BASE).unwrap().unwrap().status, 1);
        arena.clear(BASE).unwrap();
        assert_eq!(arena.completion(BASE).unwrap(), None);
        assert!(arena.completion(0).is_err());
    }
}
