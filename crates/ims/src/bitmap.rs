// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A growable set of small numbers that finds its lowest member in a few steps.
//!
//! Level 0 holds a bit per member; each higher level a bit per non-empty word of
//! the level below. Finding the lowest member, adding and removing take one word
//! a level: four levels for 16 million members.

use alloc::vec::Vec;

/// A set of `u32`, ordered, with a fast lowest member.
#[derive(Debug, Clone, Default)]
pub struct Bitmap {
    levels: Vec<Vec<u64>>,
    len: u32,
}

impl Bitmap {
    /// An empty set.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many members there are.
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether `member` is in the set.
    #[inline]
    pub fn contains(&self, member: u32) -> bool {
        self.levels
            .first()
            .and_then(|words| words.get((member / 64) as usize))
            .is_some_and(|word| word >> (member % 64) & 1 == 1)
    }

    /// Adds `member`; says whether it was new.
    pub fn insert(&mut self, member: u32) -> bool {
        if self.contains(member) {
            return false;
        }
        let mut position = member;
        let mut level = 0;
        loop {
            if level == self.levels.len() {
                self.levels.push(Vec::new());
            }
            let Some(words) = self.levels.get_mut(level) else {
                break;
            };
            let at = (position / 64) as usize;
            if words.len() <= at {
                words.resize(at + 1, 0);
            }
            let Some(word) = words.get_mut(at) else { break };
            let was_empty = *word == 0;
            *word |= 1 << (position % 64);
            let top = level + 1 == self.levels.len();
            if top && self.levels.get(level).is_some_and(|words| words.len() > 1) {
                self.summarise(level);
                break;
            }
            if top || !was_empty {
                break;
            }
            position /= 64;
            level += 1;
        }
        self.len += 1;
        true
    }

    /// Adds every member of `range` that is not yet in the set.
    pub fn insert_range(&mut self, range: core::ops::Range<u32>) {
        for member in range {
            self.insert(member);
        }
    }

    /// Removes `member`; says whether it was there.
    pub fn remove(&mut self, member: u32) -> bool {
        if !self.contains(member) {
            return false;
        }
        self.remove_member(member);
        true
    }

    /// Removes the lowest member, and returns it.
    #[inline]
    pub fn pop_first(&mut self) -> Option<u32> {
        if self.len == 0 {
            return None;
        }
        let member = self.first()?;
        self.remove_member(member);
        Some(member)
    }

    #[inline]
    fn remove_member(&mut self, member: u32) {
        let mut position = member;
        for words in &mut self.levels {
            let Some(word) = words.get_mut((position / 64) as usize) else {
                break;
            };
            *word &= !(1 << (position % 64));
            if *word != 0 {
                break;
            }
            position /= 64;
        }
        self.len -= 1;
    }

    /// The lowest member.
    #[inline]
    pub fn first(&self) -> Option<u32> {
        let mut position: u32 = 0;
        for (level, words) in self.levels.iter().enumerate().rev() {
            let word = if level + 1 == self.levels.len() {
                words.first()?
            } else {
                words.get(position as usize)?
            };
            if *word == 0 {
                return None;
            }
            position = position * 64 + word.trailing_zeros();
        }
        (!self.levels.is_empty()).then_some(position)
    }

    /// The members in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.levels
            .first()
            .into_iter()
            .flatten()
            .zip(0u32..)
            .flat_map(|(&word, at)| {
                let mut left = word;
                core::iter::from_fn(move || {
                    (left != 0).then(|| {
                        let bit = left.trailing_zeros();
                        left &= left - 1;
                        at * 64 + bit
                    })
                })
            })
    }

    /// Builds the levels above `level` anew, after it outgrew one word.
    fn summarise(&mut self, mut level: usize) {
        while let Some(words) = self.levels.get(level).filter(|words| words.len() > 1) {
            let mut above = alloc::vec![0u64; words.len().div_ceil(64)];
            for (at, _) in words.iter().enumerate().filter(|(_, word)| **word != 0) {
                if let Some(word) = above.get_mut(at / 64) {
                    *word |= 1 << (at % 64);
                }
            }
            self.levels.truncate(level + 1);
            self.levels.push(above);
            level += 1;
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn behaves_like_an_ordered_set(
            ops in proptest::collection::vec((0u8..5, 0u32..300_000), 1..400)
        ) {
            let mut bitmap = Bitmap::new();
            let mut model = BTreeSet::new();
            for (op, member) in ops {
                if op < 2 {
                    prop_assert_eq!(bitmap.insert(member), model.insert(member));
                } else if op == 2 {
                    prop_assert_eq!(bitmap.pop_first(), model.pop_first());
                } else {
                    // Half of the removals hit a member, so that words empty again.
                    let member = model.range(member..).next().copied().unwrap_or(member);
                    prop_assert_eq!(bitmap.remove(member), model.remove(&member));
                }
                prop_assert_eq!(bitmap.first(), model.first().copied());
                prop_assert_eq!(bitmap.len() as usize, model.len());
            }
            prop_assert!(bitmap.iter().eq(model.iter().copied()));
        }
    }
}
