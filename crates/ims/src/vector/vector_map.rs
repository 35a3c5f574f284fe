// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A set of vectors: a bit for each of the 256.

use super::layout::VECTORS;
use core::fmt;
use core::ops::{BitAnd, BitOr, Not, Range};

/// Vectors per word.
const WORD: u16 = 64;

/// A set of vectors.
///
/// Shown as its ranges, `0x20-0x2f,0x80`; nothing if it is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct VectorMap {
    words: [u64; 4],
}

fn place(vector: u8) -> (usize, u64) {
    let vector = u16::from(vector);
    (usize::from(vector / WORD), 1 << (vector % WORD))
}

impl VectorMap {
    /// The vectors of `range`; what lies above 255 is left out.
    pub fn from_range(range: Range<u16>) -> Self {
        let mut map = Self::default();
        range
            .filter_map(|vector| u8::try_from(vector).ok())
            .for_each(|vector| {
                map.insert(vector);
            });
        map
    }

    /// Whether `vector` is in the set.
    #[inline]
    pub fn contains(&self, vector: u8) -> bool {
        let (at, bit) = place(vector);
        self.words.get(at).is_some_and(|word| word & bit != 0)
    }

    /// Adds `vector`; says whether it was new.
    #[inline]
    pub fn insert(&mut self, vector: u8) -> bool {
        let (at, bit) = place(vector);
        let Some(word) = self.words.get_mut(at) else {
            return false;
        };
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    /// Removes `vector`; says whether it was there.
    #[inline]
    pub fn remove(&mut self, vector: u8) -> bool {
        let (at, bit) = place(vector);
        let Some(word) = self.words.get_mut(at) else {
            return false;
        };
        let was_there = *word & bit != 0;
        *word &= !bit;
        was_there
    }

    /// The lowest vector.
    #[inline]
    pub fn first(&self) -> Option<u8> {
        self.iter().next()
    }

    /// How many vectors there are, at most 256.
    pub fn len(&self) -> u16 {
        let vectors: u32 = self.words.iter().map(|word| word.count_ones()).sum();
        u16::try_from(vectors).unwrap_or(VECTORS)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.words == [0; 4]
    }

    /// The vectors in ascending order.
    #[inline]
    pub fn iter(&self) -> impl Iterator<Item = u8> + use<> {
        let mut words = self.words;
        core::iter::from_fn(move || {
            for (word, base) in words.iter_mut().zip([0u8, 64, 128, 192]) {
                if *word != 0 {
                    let bit = word.trailing_zeros();
                    *word &= *word - 1;
                    return u8::try_from(bit).ok().map(|bit| base + bit);
                }
            }
            None
        })
    }

    fn combine(self, other: Self, with: impl Fn(u64, u64) -> u64) -> Self {
        let mut words = self.words;
        for (word, other) in words.iter_mut().zip(other.words) {
            *word = with(*word, other);
        }
        Self { words }
    }
}

impl BitOr for VectorMap {
    type Output = Self;
    #[inline]
    fn bitor(self, other: Self) -> Self {
        self.combine(other, |a, b| a | b)
    }
}

impl BitAnd for VectorMap {
    type Output = Self;
    #[inline]
    fn bitand(self, other: Self) -> Self {
        self.combine(other, |a, b| a & b)
    }
}

impl Not for VectorMap {
    type Output = Self;
    #[inline]
    fn not(self) -> Self {
        Self {
            words: self.words.map(|word| !word),
        }
    }
}

impl FromIterator<u8> for VectorMap {
    fn from_iter<I: IntoIterator<Item = u8>>(vectors: I) -> Self {
        let mut map = Self::default();
        for vector in vectors {
            map.insert(vector);
        }
        map
    }
}

impl fmt::Display for VectorMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut vectors = self.iter().peekable();
        let mut comma = "";
        while let Some(first) = vectors.next() {
            let mut last = first;
            while let Some(next) = vectors.next_if(|next| last.checked_add(1) == Some(*next)) {
                last = next;
            }
            write!(f, "{comma}{first:#04x}")?;
            if last != first {
                write!(f, "-{last:#04x}")?;
            }
            comma = ",";
        }
        Ok(())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;
    use std::string::ToString;

    proptest! {
        #[test]
        fn behaves_like_an_ordered_set(ops in proptest::collection::vec(any::<(bool, u8)>(), 0..400)) {
            let mut model = BTreeSet::new();
            let mut map = VectorMap::default();
            for (insert, vector) in ops {
                if insert {
                    prop_assert_eq!(map.insert(vector), model.insert(vector));
                } else {
                    prop_assert_eq!(map.remove(vector), model.remove(&vector));
                }
                prop_assert_eq!(map.contains(vector), insert);
                prop_assert_eq!(map.first(), model.first().copied());
            }
            prop_assert_eq!(usize::from(map.len()), model.len());
            prop_assert_eq!(map.is_empty(), model.is_empty());
            prop_assert!((!map).iter().eq((0..=u8::MAX).filter(|vector| !model.contains(vector))));
            prop_assert!(map.iter().eq(model));
        }
    }

    #[test]
    fn a_map_is_shown_as_its_ranges() {
        assert_eq!(VectorMap::default().to_string(), "");
        let map: VectorMap = (0..5)
            .chain([0x20, 0x80, 0x81])
            .chain(0xf0..=0xff)
            .collect();
        assert_eq!(map.to_string(), "0x00-0x04,0x20,0x80-0x81,0xf0-0xff");
        assert_eq!((!VectorMap::default()).to_string(), "0x00-0xff");
        assert_eq!(VectorMap::from_range(0xfe..300).to_string(), "0xfe-0xff");
    }
}
