// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The file behind a block device.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::{OFlags, fcntl_getfl};

use crate::layout::block::SECTOR;

/// A file as a disk. Its size is what it was when the disk was made.
#[derive(Debug)]
pub struct Disk {
    file: File,
    sectors: u64,
    writable: bool,
}

impl Disk {
    /// Opens the file at `path`.
    ///
    /// # Errors
    /// It cannot be opened, or has no size.
    pub fn open(path: impl AsRef<Path>, read_only: bool) -> io::Result<Self> {
        Self::of(OpenOptions::new().read(true).write(!read_only).open(path)?)
    }

    /// Takes a file that is open; it is written if it was opened for that. Nobody
    /// else may use its position.
    ///
    /// # Errors
    /// It has no size, or was opened to append.
    pub fn of(mut file: File) -> io::Result<Self> {
        let flags = fcntl_getfl(&file)?;
        if flags.contains(OFlags::APPEND) {
            let said = "what is written goes to its end: open it without append";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, said));
        }
        // Of a block device, the metadata do not say it.
        let bytes = file.seek(SeekFrom::End(0))?;
        Ok(Self {
            file,
            sectors: bytes / u64::from(SECTOR),
            writable: flags & OFlags::RWMODE == OFlags::RDWR,
        })
    }

    /// How many whole sectors it has.
    pub fn sectors(&self) -> u64 {
        self.sectors
    }

    /// Whether it is written.
    pub fn is_writable(&self) -> bool {
        self.writable
    }

    /// A place to read and write from, for each of `count` workers.
    ///
    /// Each has a description of the file of its own, and so a position of its own.
    /// Where the file cannot be opened a second time (no `/proc`, no permission) all
    /// share one, and take turns.
    pub(super) fn places(self, count: u16) -> Vec<Place> {
        let path = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        let mut options = OpenOptions::new();
        options.read(true).write(self.writable);
        let own = (1..count).map_while(|_| options.open(&path).ok());
        let mut places: Vec<_> = own.map(Place::new).collect();
        places.push(Place::new(self.file));
        let shared = places.clone();
        let missing = usize::from(count).saturating_sub(places.len());
        places.extend(shared.into_iter().cycle().take(missing));
        places
    }
}

/// Where a worker reads and writes.
#[derive(Debug, Clone)]
pub(super) struct Place(Arc<Mutex<File>>);

impl Place {
    fn new(file: File) -> Self {
        Self(Arc::new(Mutex::new(file)))
    }

    /// The file, standing at `offset`, until it is let go.
    pub(super) fn at(&self, offset: u64) -> io::Result<MutexGuard<'_, File>> {
        let mut file = self.file();
        file.seek(SeekFrom::Start(offset))?;
        Ok(file)
    }

    /// The file.
    pub(super) fn file(&self) -> MutexGuard<'_, File> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
