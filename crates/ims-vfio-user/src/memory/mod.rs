// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Files that clients send as their memory.
//!
//! A VMM that maps its guest's memory page by page sends a descriptor with each
//! page, and all are of one file. So a file is mapped once, whole, whatever the
//! number of its maps, and no descriptor is kept.
//!
//! # What a client can do with its file
//! It may make it shorter while the device copies from it. Touching what is gone is
//! a bus error, which would end this process: a handler puts zeros in place of the
//! lost file and says so, see [`Backing::lost`]. The handler is the process's, put
//! in at the first mapping; bus errors elsewhere go to the handler that was there
//! before. A thread that touches such memory must not block `SIGBUS`: the kernel
//! ends the process then, whatever handler there is.
//!
//! A client may also send a file whose pages come slowly, or never (of a file system
//! it serves itself). Nothing here guards against that: it holds up whoever copies.

mod error;
mod fault;
mod mapping;
mod registry;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use ims_vfio::dma::{Access, Backing};
use rustix::fs::{FileType, OFlags, Stat, fcntl_getfl, fstat};

pub use error::MemoryError;

use mapping::Mapping;

/// Which file it is, and how it is mapped. A number is not given to another file
/// while a mapping keeps this one.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    device: u64,
    inode: u64,
    writable: bool,
}

/// The files that are mapped now: one mapping for each, and for each direction.
///
/// # Concurrency
/// All methods on any thread; a lock inside is held while a file is mapped.
#[derive(Default)]
pub struct Files {
    known: Mutex<HashMap<Key, Weak<Mapping>>>,
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Files")
            .field("mappings", &self.mappings())
            .finish()
    }
}

impl Files {
    /// Memory for `size` bytes at `offset` of the file `fd`, and where they begin in
    /// it. `fd` is closed. The file is unmapped when the last answer that shares its
    /// mapping is dropped. Allow a map of it no more than `access`: what is not
    /// mapped for writing cannot be written.
    ///
    /// Whether the descriptor allows `access` is looked at each time, also if the
    /// file is mapped already: another client may be allowed more.
    ///
    /// # Errors
    /// [`MemoryError`]; nothing has changed.
    pub fn backing(
        &self,
        fd: OwnedFd,
        offset: u64,
        size: u64,
        access: Access,
    ) -> Result<(Arc<dyn Backing>, u64), MemoryError> {
        let stat = fstat(&fd).map_err(MemoryError::Descriptor)?;
        let length = check_file(&stat)?;
        check_access(&fd, access)?;
        let end = offset.checked_add(size).ok_or(MemoryError::Range)?;
        if size == 0 || end > length {
            return Err(MemoryError::Range);
        }
        let key = Key {
            device: stat.st_dev,
            inode: stat.st_ino,
            writable: access.write,
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let there = known.get(&key).and_then(Weak::upgrade);
        // A file that has grown since is mapped anew, and one that was lost, too;
        // whoever has the old mapping keeps it.
        let mapping = match there.filter(|there| there.length() >= end && !there.lost()) {
            Some(there) => there,
            None => {
                let new = Arc::new(Mapping::new(&fd, length, key.writable)?);
                known.retain(|_, mapping| mapping.strong_count() > 0);
                known.insert(key, Arc::downgrade(&new));
                new
            }
        };
        Ok((mapping, offset))
    }

    /// How many mappings there are that new maps may share.
    pub fn mappings(&self) -> usize {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let live = known.values().filter(|mapping| mapping.strong_count() > 0);
        live.count()
    }
}

/// The file's length, if it is a file that can be memory.
fn check_file(stat: &Stat) -> Result<u64, MemoryError> {
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(MemoryError::NotMemory);
    }
    u64::try_from(stat.st_size).map_err(|_| MemoryError::Range)
}

/// What `mmap` would check, for a file that is mapped already.
fn check_access(fd: &OwnedFd, access: Access) -> Result<(), MemoryError> {
    let flags = fcntl_getfl(fd).map_err(MemoryError::Descriptor)?;
    if flags.contains(OFlags::PATH) {
        return Err(MemoryError::NotOpen);
    }
    let mode = flags & OFlags::RWMODE;
    if mode == OFlags::RDWR || (mode == OFlags::RDONLY && !access.write) {
        Ok(())
    } else {
        Err(MemoryError::Direction)
    }
}
