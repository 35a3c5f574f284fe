// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Apply delta record (8.3.9): writes the words a delta record names.
//!
//! A delta record is what a guest says it is. Each entry is read once, and its
//! offset checked before it is used: no word outside the transfer is written.

use zerocopy::{FromZeros, IntoBytes};

use super::{Outcome, count};
use crate::layout::{DELTA_ALIGN, DELTA_ENTRY_SIZE, DeltaEntry, Descriptor, Status};
use crate::memory::{Access, AddressSpace};
use crate::transfer::{Fault, at, read_units, write};

/// Entries an engine holds at a time.
const ENTRIES: usize = 256;

pub(super) fn execute(descriptor: &Descriptor, space: &dyn AddressSpace) -> Outcome {
    let size = descriptor.delta_size() as usize;
    let mut entries = <[DeltaEntry; ENTRIES]>::new_zeroed();
    let mut target = Target::new(descriptor);
    let mut done = 0;
    while done < size {
        let buffer = entries.as_mut_bytes();
        let wanted = (size - done).min(buffer.len());
        let buffer = buffer.get_mut(..wanted).unwrap_or_default();
        let record = descriptor.source.get();
        let read = match read_units(space, record, done, buffer, DELTA_ENTRY_SIZE) {
            Ok(bytes) => bytes,
            Err(fault) => return Outcome::faulted(fault, count(done)),
        };
        for entry in entries.iter().take(read / DELTA_ENTRY_SIZE) {
            match target.apply(space, entry) {
                Ok(()) => done += DELTA_ENTRY_SIZE,
                Err(Stop::Entry(status)) => return Outcome::stopped(status, count(done)),
                Err(Stop::Fault(fault)) => return Outcome::faulted(fault, count(done)),
            }
        }
    }
    Outcome::done(count(size))
}

/// Why an entry was not applied.
enum Stop {
    Entry(Status),
    Fault(Fault),
}

/// The memory a delta record is applied to.
struct Target {
    address: u64,
    /// Words in the transfer.
    words: u32,
    /// The least offset the next entry may have.
    next: u32,
}

impl Target {
    fn new(descriptor: &Descriptor) -> Self {
        Self {
            address: descriptor.destination.get(),
            words: descriptor.size.get() / DELTA_ALIGN,
            next: 0,
        }
    }

    fn apply(&mut self, space: &dyn AddressSpace, entry: &DeltaEntry) -> Result<(), Stop> {
        let offset = entry.offset.get();
        if u32::from(offset) < self.next {
            return Err(Stop::Entry(Status::DeltaOrder));
        }
        if u32::from(offset) >= self.words {
            return Err(Stop::Entry(Status::DeltaRange));
        }
        let bytes = usize::from(offset) * DELTA_ALIGN as usize;
        at(self.address, bytes, Access::Write)
            .and_then(|address| write(space, address, &entry.data))
            .map_err(Stop::Fault)?;
        self.next = u32::from(offset) + 1;
        Ok(())
    }
}
