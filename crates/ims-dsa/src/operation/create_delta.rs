// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Create delta record (8.3.8): what to change in the first source to make it
//! the second.
//!
//! Both sources are read once, into copies: what is compared is what is
//! recorded, whatever a guest writes meanwhile.

use zerocopy::IntoBytes;
use zerocopy::little_endian::U16;

use super::{Outcome, count, judged, length};
use crate::layout::{DELTA_ALIGN, DELTA_ENTRY_SIZE, DeltaEntry, DeltaResult, Descriptor};
use crate::memory::AddressSpace;
use crate::transfer::{CHUNK, Fault, read_units, write};

const WORD: usize = DELTA_ALIGN as usize;

pub(super) fn execute(descriptor: &Descriptor, space: &dyn AddressSpace) -> Outcome {
    let length = length(descriptor);
    let mut record = Record::new(descriptor);
    let mut copies = ([0; CHUNK], [0; CHUNK]);
    let mut done = 0;
    while done < length {
        let wanted = (length - done).min(CHUNK);
        let left = copies.0.get_mut(..wanted).unwrap_or_default();
        let right = copies.1.get_mut(..wanted).unwrap_or_default();
        let compared = match read_both(descriptor, space, done, left, right) {
            Ok(bytes) => bytes,
            Err(fault) => return record.faulted(fault, done),
        };
        let left = left.get(..compared).unwrap_or_default();
        let right = right.get(..compared).unwrap_or_default();
        match record.append(space, done, left, right) {
            Ok(()) => done += compared,
            Err(Stop::Full { before }) => {
                return Outcome {
                    completed: count(before),
                    ..record.ended(descriptor, DeltaResult::Overflow, before)
                };
            }
            Err(Stop::Fault { fault, before }) => return record.faulted(fault, before),
        }
    }
    let result = if record.size == 0 {
        DeltaResult::Equal
    } else {
        DeltaResult::Complete
    };
    record.ended(descriptor, result, length)
}

/// Reads words of both sources up to a fault in either; says how many bytes.
fn read_both(
    descriptor: &Descriptor,
    space: &dyn AddressSpace,
    done: usize,
    left: &mut [u8],
    right: &mut [u8],
) -> Result<usize, Fault> {
    let (first, second) = (descriptor.source.get(), descriptor.destination.get());
    let bytes = read_units(space, first, done, left, WORD)?;
    let right = right.get_mut(..bytes).unwrap_or_default();
    read_units(space, second, done, right, WORD)
}

/// Why no more is recorded, and the position of the first word that is not.
enum Stop {
    Full { before: usize },
    Fault { fault: Fault, before: usize },
}

/// The delta record in the making.
struct Record {
    address: u64,
    /// Bytes written.
    size: usize,
    /// Bytes there are, without a rest too small for an entry.
    room: usize,
}

impl Record {
    fn new(descriptor: &Descriptor) -> Self {
        let room = descriptor.delta_room() as usize;
        Self {
            address: descriptor.delta_address(),
            size: 0,
            room: room - room % DELTA_ENTRY_SIZE,
        }
    }

    /// Records what differs between two copies, `start` bytes into the
    /// transfer.
    fn append(
        &mut self,
        space: &dyn AddressSpace,
        start: usize,
        left: &[u8],
        right: &[u8],
    ) -> Result<(), Stop> {
        if left == right {
            return Ok(());
        }
        let mut entries = [DeltaEntry::default(); CHUNK / WORD];
        let room = (self.room - self.size) / DELTA_ENTRY_SIZE;
        let mut found = 0;
        let words = left.chunks_exact(WORD).zip(right.chunks_exact(WORD));
        for (index, (old, new)) in words.enumerate() {
            if old == new {
                continue;
            }
            let before = start + index * WORD;
            let Some(entry) = entries.get_mut(found).filter(|_| found < room) else {
                self.write(space, entries.get(..found).unwrap_or_default())?;
                return Err(Stop::Full { before });
            };
            entry.offset = U16::new(u16::try_from(before / WORD).unwrap_or(u16::MAX));
            entry.data.copy_from_slice(new);
            found += 1;
        }
        self.write(space, entries.get(..found).unwrap_or_default())
    }

    /// Writes entries behind those there are: all, or those before a fault.
    fn write(&mut self, space: &dyn AddressSpace, entries: &[DeltaEntry]) -> Result<(), Stop> {
        // Beyond the last address there is nothing, and the write says so.
        let base = self.address.saturating_add(self.size as u64);
        let Err(fault) = write(space, base, entries.as_bytes()) else {
            self.size += entries.as_bytes().len();
            return Ok(());
        };
        let reachable = usize::try_from(fault.address.saturating_sub(base)).unwrap_or(0);
        // Fewer than were tried, so that this ends.
        let whole = (reachable / DELTA_ENTRY_SIZE).min(entries.len().saturating_sub(1));
        let (reachable, rest) = entries.split_at_checked(whole).unwrap_or_default();
        let first = rest.first().map_or(0, |entry| entry.offset.get());
        self.write(space, reachable)?;
        Err(Stop::Fault {
            fault,
            before: usize::from(first) * WORD,
        })
    }

    fn faulted(&self, fault: Fault, before: usize) -> Outcome {
        Outcome {
            value: self.size as u64,
            ..Outcome::faulted(fault, count(before))
        }
    }

    fn ended(&self, descriptor: &Descriptor, result: DeltaResult, compared: usize) -> Outcome {
        let result = result.into();
        Outcome {
            status: judged(descriptor, descriptor.expects_delta(result)),
            result,
            value: self.size as u64,
            ..Outcome::done(count(compared))
        }
    }
}
