// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A shared table that grows by whole segments and never moves.
//!
//! The control half grows it; any number of threads read it meanwhile, for a
//! segment, once published, stays where it is until the table is dropped. Each
//! doubling of the table is four segments, so at most a quarter of it is unused.

use alloc::boxed::Box;

use crate::sync::Once;

/// Elements in the first segment. Few in a model, which makes them all anew for
/// every interleaving.
const FIRST: u32 = if cfg!(loom) { 4 } else { 64 };
/// log2 of [`FIRST`].
const FIRST_BITS: u32 = FIRST.ilog2();
/// Segments that cover every `u32` index.
const SEGMENTS: usize = 1 + 4 * (32 - FIRST_BITS as usize);

/// A table of `T`, indexed by `u32`, that grows without moving.
///
/// # Concurrency
/// [`Segments::get`] may run on any thread at any time, also while
/// [`Segments::grow`] runs on another; it sees an index as absent or as present
/// for good. Two growers are harmless, but one waits or works in vain.
pub struct Segments<T> {
    segments: [Once<Box<[T]>>; SEGMENTS],
}

impl<T> Default for Segments<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> core::fmt::Debug for Segments<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Segments")
            .field("capacity", &self.capacity())
            .finish()
    }
}

/// Which segment holds `index`, and where in it.
#[inline]
fn place(index: u32) -> (usize, usize) {
    if index < FIRST {
        return (0, index as usize);
    }
    let bits = index.ilog2();
    let quarter = (index >> (bits - 2)) & 3;
    let segment = 1 + (bits - FIRST_BITS) * 4 + quarter;
    (segment as usize, (index & ((1 << (bits - 2)) - 1)) as usize)
}

/// How many elements a segment has.
fn size(segment: usize) -> usize {
    match segment.checked_sub(1) {
        None => FIRST as usize,
        Some(after) => (FIRST as usize / 4) << (after / 4),
    }
}

impl<T> Segments<T> {
    /// An empty table; it takes no memory until it grows.
    pub fn new() -> Self {
        Self {
            segments: [const { Once::new() }; SEGMENTS],
        }
    }

    /// The element at `index`, if the table has grown that far.
    #[inline]
    pub fn get(&self, index: u32) -> Option<&T> {
        let (segment, offset) = place(index);
        self.segments.get(segment)?.get()?.get(offset)
    }

    /// Grows the table until it holds `count` elements; new ones come from
    /// `make`, called with their index.
    #[inline]
    pub fn grow(&self, count: u32, make: impl FnMut(u32) -> T) {
        // Segments come in order, so the last index answers for all.
        let last = count.checked_sub(1);
        if last.is_some_and(|last| self.get(last).is_none()) {
            self.add_segments(count, make);
        }
    }

    #[cold]
    fn add_segments(&self, count: u32, mut make: impl FnMut(u32) -> T) {
        let mut first = 0u64;
        for (at, segment) in self.segments.iter().enumerate() {
            if first >= u64::from(count) {
                return;
            }
            let size = size(at);
            segment.get_or_init(|| {
                let last = first + size as u64 - 1;
                let last = u32::try_from(last).unwrap_or(u32::MAX);
                let first = u32::try_from(first).unwrap_or(u32::MAX);
                (first..=last).map(&mut make).collect()
            });
            first += size as u64;
        }
    }

    /// How many elements the table holds now.
    pub fn capacity(&self) -> u64 {
        self.segments
            .iter()
            .enumerate()
            .map_while(|(at, segment)| segment.get().map(|_| size(at) as u64))
            .sum()
    }

    /// The elements in order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.segments
            .iter()
            .map_while(Once::get)
            .flat_map(|segment| segment.iter())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_empty_table_has_nothing() {
        let table = Segments::<u32>::new();
        assert_eq!(table.capacity(), 0);
        assert!(table.get(0).is_none());
        assert!(table.get(u32::MAX).is_none());
    }

    #[test]
    fn every_index_has_a_place_of_its_own_and_segments_are_full() {
        let table = Segments::new();
        table.grow(5000, |index| index);
        for index in 0..5000 {
            assert_eq!(table.get(index), Some(&index));
        }
        assert!(
            table
                .iter()
                .copied()
                .eq(0..u32::try_from(table.capacity()).unwrap())
        );
    }

    #[test]
    fn the_last_index_of_all_has_a_place() {
        let (segment, offset) = place(u32::MAX);
        assert_eq!(segment, SEGMENTS - 1);
        assert_eq!(offset, size(segment) - 1);
    }

    proptest! {
        #[test]
        fn growing_wastes_at_most_a_quarter(count in 64u32..2_000_000) {
            let mut capacity = 0u64;
            for segment in 0..SEGMENTS {
                if capacity >= u64::from(count) { break }
                capacity += size(segment) as u64;
            }
            prop_assert!(capacity <= u64::from(count) + u64::from(count) / 4 + 16);
        }
    }

    #[test]
    fn elements_stay_where_they_are_while_the_table_grows() {
        let table = Segments::new();
        table.grow(1, |index| index);
        let before: *const u32 = table.get(3).unwrap();
        table.grow(100_000, |index| index);
        assert_eq!(before, table.get(3).unwrap() as *const u32);
    }
}
