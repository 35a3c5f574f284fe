// SPDX-License-Identifier: Apache-2.0 OR MIT
//! All entries of one device: made at once, or by chunks as they are touched.

use alloc::boxed::Box;

use super::entry::Entry;
use crate::sync::OnceBox;

/// Entries in a chunk: a page of them. Few in a model, which makes them all anew
/// for every interleaving.
pub(super) const CHUNK: u32 = if cfg!(loom) { 2 } else { 64 };

type Chunk = [Entry; CHUNK as usize];

/// A device's entries. What was never touched takes an eighth of a byte.
///
/// # Concurrency
/// Any thread touches; two that touch a chunk for the first time at once both make
/// it, and one is kept. No lock.
#[derive(Debug)]
pub(crate) struct Entries {
    made: Box<[Entry]>,
    chunks: Box<[OnceBox<Chunk>]>,
    count: u32,
}

impl Entries {
    /// `count` entries, side by side: 64 bytes each.
    pub(crate) fn at_once(count: u32) -> Self {
        Self {
            made: (0..count).map(|_| Entry::new()).collect(),
            chunks: Box::default(),
            count,
        }
    }

    /// `count` entries, none made yet.
    pub(crate) fn as_touched(count: u32) -> Self {
        Self {
            made: Box::default(),
            chunks: (0..count.div_ceil(CHUNK)).map(|_| OnceBox::new()).collect(),
            count,
        }
    }

    /// How many there are, made or not.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// An entry that was touched.
    #[inline]
    pub(crate) fn get(&self, index: u32) -> Option<&Entry> {
        if let Some(entry) = self.made.get(index as usize) {
            return Some(entry);
        }
        self.chunk(index)?.get()?.get((index % CHUNK) as usize)
    }

    /// An entry, made if need be; `None` if there is none.
    #[inline]
    pub(crate) fn touch(&self, index: u32) -> Option<&Entry> {
        if let Some(entry) = self.made.get(index as usize) {
            return Some(entry);
        }
        let make = || Box::new(core::array::from_fn(|_| Entry::new()));
        self.chunk(index)?
            .get_or_init(make)
            .get((index % CHUNK) as usize)
    }

    fn chunk(&self, index: u32) -> Option<&OnceBox<Chunk>> {
        // The last chunk has more room than there are entries.
        if index >= self.count {
            return None;
        }
        self.chunks.get((index / CHUNK) as usize)
    }

    /// Those made at once, if they were.
    pub(crate) fn made_at_once(&self) -> &[Entry] {
        &self.made
    }

    /// Those that exist by now with their numbers, in order.
    pub(crate) fn touched(&self) -> impl Iterator<Item = (u32, &Entry)> {
        let chunks = (0u32..).zip(&self.chunks).flat_map(|(at, chunk)| {
            let entries = chunk.get().map_or(&[][..], |chunk| &chunk[..]);
            (at.saturating_mul(CHUNK)..self.count).zip(entries)
        });
        (0u32..).zip(&self.made).chain(chunks)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_made_with_its_chunk_and_only_when_touched() {
        let entries = Entries::as_touched(200);
        assert_eq!(entries.touched().count(), 0);
        assert!(entries.get(130).is_none());
        let entry: *const Entry = entries.touch(130).unwrap();
        assert_eq!(entry, entries.get(130).unwrap() as *const Entry);
        assert_eq!(entries.touched().count(), 64);
        assert!(entries.touched().map(|(index, _)| index).eq(128..192));
        entries.touch(199).unwrap();
        assert!(entries.touched().map(|(index, _)| index).eq(128..200));
        assert!(entries.touch(200).is_none());
        assert!(entries.touch(u32::MAX).is_none());
    }

    #[test]
    fn entries_made_at_once_are_all_there() {
        let entries = Entries::at_once(3);
        assert!(entries.touched().map(|(index, _)| index).eq(0..3));
        assert!(entries.get(2).is_some() && entries.touch(3).is_none());
        assert_eq!(entries.made_at_once().len(), 3);
    }

    #[test]
    fn an_untouched_store_takes_a_pointer_for_64_entries() {
        assert_eq!(size_of::<OnceBox<Chunk>>(), 8);
        assert_eq!(Entries::as_touched(65_536).chunks.len() * 8, 8192);
        assert_eq!(size_of::<Chunk>(), 4096);
    }
}
