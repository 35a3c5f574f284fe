// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A set of CPUs, sized to what it holds.

use alloc::vec::Vec;
use core::cmp::Ordering;
use core::iter::FusedIterator;

/// The number of a CPU: dense from 0, and not its APIC id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct CpuId(pub u32);

/// CPUs per word.
const WORD: u32 = u64::BITS;

/// A non-empty word of the set: CPUs `64 * at` to `64 * at + 63`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Word {
    at: u32,
    bits: u64,
}

/// A set of CPUs.
///
/// It keeps its non-empty words of 64 CPUs in order, 16 bytes each, so a set
/// takes memory for what it holds and not for how high its numbers are, and
/// everything but membership takes time for its words. Sets compare as the
/// ascending sequences of their members.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct CpuSet {
    words: Vec<Word>,
}

fn place(cpu: CpuId) -> (u32, u64) {
    (cpu.0 / WORD, 1 << (cpu.0 % WORD))
}

impl CpuSet {
    /// The empty set; it takes no memory.
    pub const fn new() -> Self {
        Self { words: Vec::new() }
    }

    /// The set of one CPU.
    pub fn single(cpu: CpuId) -> Self {
        Self::from_iter([cpu])
    }

    fn find(&self, at: u32) -> Result<usize, usize> {
        // Mostly the last word, or the one after it: sets are built in order.
        match self.words.last() {
            None => Err(0),
            Some(last) if last.at < at => Err(self.words.len()),
            _ => self.words.binary_search_by_key(&at, |word| word.at),
        }
    }

    fn bits(&self, at: u32) -> u64 {
        self.find(at)
            .ok()
            .and_then(|found| self.words.get(found))
            .map_or(0, |word| word.bits)
    }

    /// Adds `bits` to the word at `at`; says which of them were new.
    fn add(&mut self, at: u32, bits: u64) -> u64 {
        match self.find(at) {
            Ok(found) => self.words.get_mut(found).map_or(0, |word| {
                let new = bits & !word.bits;
                word.bits |= bits;
                new
            }),
            Err(_) if bits == 0 => 0,
            Err(here) => {
                self.words.insert(here, Word { at, bits });
                bits
            }
        }
    }

    /// Adds `cpu`; says whether it was new.
    pub fn insert(&mut self, cpu: CpuId) -> bool {
        let (at, bit) = place(cpu);
        self.add(at, bit) != 0
    }

    /// Removes `cpu`; says whether it was there.
    pub fn remove(&mut self, cpu: CpuId) -> bool {
        let (at, bit) = place(cpu);
        let Ok(found) = self.find(at) else {
            return false;
        };
        let Some(word) = self.words.get_mut(found) else {
            return false;
        };
        let was_there = word.bits & bit != 0;
        word.bits &= !bit;
        if word.bits == 0 {
            self.words.remove(found);
        }
        was_there
    }

    /// Whether `cpu` is in the set.
    #[inline]
    pub fn contains(&self, cpu: CpuId) -> bool {
        let (at, bit) = place(cpu);
        self.bits(at) & bit != 0
    }

    /// Whether there is no CPU in the set.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// How many CPUs there are.
    pub fn len(&self) -> usize {
        self.words
            .iter()
            .map(|word| word.bits.count_ones() as usize)
            .sum()
    }

    /// Whether there are at most `count` CPUs; looks at no more words than that.
    pub fn holds_at_most(&self, count: usize) -> bool {
        self.words.len() <= count && self.len() <= count
    }

    /// The lowest CPU.
    pub fn first(&self) -> Option<CpuId> {
        self.iter().next()
    }

    /// The CPUs in ascending order.
    pub fn iter(&self) -> impl FusedIterator<Item = CpuId> + '_ {
        self.words.iter().copied().flat_map(Word::cpus)
    }

    /// The members as 32-bit words that are not empty, each with the CPU of its
    /// bit 0, in ascending order.
    pub(super) fn groups_of_32(&self) -> impl Iterator<Item = (CpuId, u32)> + '_ {
        self.words.iter().flat_map(|word| {
            let [b0, b1, b2, b3, high @ ..] = word.bits.to_le_bytes();
            let first = word.at * WORD;
            [
                (CpuId(first), u32::from_le_bytes([b0, b1, b2, b3])),
                (CpuId(first + WORD / 2), u32::from_le_bytes(high)),
            ]
            .into_iter()
            .filter(|(_, members)| *members != 0)
        })
    }

    /// The CPUs that are in both sets, in ascending order.
    pub fn intersection<'a>(&'a self, other: &'a Self) -> impl FusedIterator<Item = CpuId> + 'a {
        self.common(other).flat_map(Word::cpus)
    }

    /// The words that are non-empty in both sets.
    fn common<'a>(&'a self, other: &'a Self) -> impl FusedIterator<Item = Word> + 'a {
        let (few, many) = if self.words.len() <= other.words.len() {
            (self, other)
        } else {
            (other, self)
        };
        // The two advance together, so the search resumes where it stopped.
        let mut rest = many.words.as_slice();
        few.words.iter().filter_map(move |word| {
            let skip = match rest.first() {
                Some(first) if first.at == word.at => 0,
                _ => rest.partition_point(|candidate| candidate.at < word.at),
            };
            rest = rest.get(skip..)?;
            let met = rest.first().filter(|met| met.at == word.at)?;
            rest = rest.get(1..)?;
            let bits = word.bits & met.bits;
            (bits != 0).then_some(Word { at: word.at, bits })
        })
    }

    /// The set of the CPUs that are in both.
    pub fn intersect(&self, other: &Self) -> Self {
        Self {
            words: self.common(other).collect(),
        }
    }

    /// Whether some CPU is in both.
    pub fn intersects(&self, other: &Self) -> bool {
        self.common(other).next().is_some()
    }

    /// Whether every CPU of `other` is in this set.
    pub fn covers(&self, other: &Self) -> bool {
        self.words.len() >= other.words.len() && self.common(other).eq(other.words.iter().copied())
    }

    /// Adds every CPU of `other`.
    pub fn extend_from(&mut self, other: &Self) {
        for word in &other.words {
            self.add(word.at, word.bits);
        }
    }

    /// The set of the CPUs that are here and not in `other`.
    pub fn difference(&self, other: &Self) -> Self {
        let left = |word: &Word| Word {
            at: word.at,
            bits: word.bits & !other.bits(word.at),
        };
        Self {
            words: self
                .words
                .iter()
                .map(left)
                .filter(|word| word.bits != 0)
                .collect(),
        }
    }
}

impl Word {
    fn cpus(self) -> impl FusedIterator<Item = CpuId> {
        let mut left = self.bits;
        core::iter::from_fn(move || {
            (left != 0).then(|| {
                let bit = left.trailing_zeros();
                left &= left - 1;
                CpuId(self.at * WORD + bit)
            })
        })
        .fuse()
    }
}

impl FromIterator<CpuId> for CpuSet {
    fn from_iter<I: IntoIterator<Item = CpuId>>(cpus: I) -> Self {
        let mut set = Self::new();
        set.extend(cpus);
        set
    }
}

impl Extend<CpuId> for CpuSet {
    fn extend<I: IntoIterator<Item = CpuId>>(&mut self, cpus: I) {
        for cpu in cpus {
            self.insert(cpu);
        }
    }
}

impl From<core::ops::Range<u32>> for CpuSet {
    /// The CPUs of the range, a word at a time.
    fn from(range: core::ops::Range<u32>) -> Self {
        let Some(last) = range.end.checked_sub(1).filter(|last| *last >= range.start) else {
            return Self::new();
        };
        let word = |at: u32| {
            let low = if at == range.start / WORD {
                range.start % WORD
            } else {
                0
            };
            let high = if at == last / WORD {
                last % WORD
            } else {
                WORD - 1
            };
            Word {
                at,
                bits: (u64::MAX >> (WORD - 1 - high)) & (u64::MAX << low),
            }
        };
        Self {
            words: (range.start / WORD..=last / WORD).map(word).collect(),
        }
    }
}

impl PartialOrd for CpuSet {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for CpuSet {
    fn cmp(&self, other: &Self) -> Ordering {
        self.iter().cmp(other.iter())
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    type Model = BTreeSet<CpuId>;

    fn members() -> impl Strategy<Value = Model> {
        let cpu = prop_oneof![0u32..200, 0u32..6000, any::<u32>(), Just(u32::MAX)];
        proptest::collection::btree_set(cpu.prop_map(CpuId), 0..80)
    }

    fn set(model: &Model) -> CpuSet {
        model.iter().copied().collect()
    }

    proptest! {
        #[test]
        fn adding_and_removing_behave_like_an_ordered_set(
            start in members(), ops in proptest::collection::vec((any::<bool>(), 0u32..300), 0..200)
        ) {
            let (mut model, mut cpus) = (start.clone(), set(&start));
            for (insert, cpu) in ops {
                let cpu = CpuId(cpu);
                if insert {
                    prop_assert_eq!(cpus.insert(cpu), model.insert(cpu));
                } else {
                    prop_assert_eq!(cpus.remove(cpu), model.remove(&cpu));
                }
                prop_assert_eq!(cpus.contains(cpu), model.contains(&cpu));
                prop_assert_eq!(cpus.first(), model.first().copied());
                prop_assert_eq!(cpus.is_empty(), model.is_empty());
                prop_assert_eq!(cpus.len(), model.len());
            }
            // Equal sets are equal whatever their history.
            prop_assert_eq!(cpus, set(&model));
        }

        #[test]
        fn two_sets_meet_like_ordered_sets(a in members(), b in members(), shared in members()) {
            let a: Model = a.union(&shared).copied().collect();
            let b: Model = b.union(&shared).copied().collect();
            let (x, y) = (set(&a), set(&b));
            let both: Model = a.intersection(&b).copied().collect();
            prop_assert_eq!(x.intersect(&y), set(&both));
            prop_assert!(x.intersection(&y).eq(both.iter().copied()));
            prop_assert_eq!(x.intersects(&y), !both.is_empty());
            prop_assert_eq!(x.covers(&y), b.is_subset(&a));
            prop_assert!(x.covers(&set(&both)));
            prop_assert_eq!(x.difference(&y), set(&a.difference(&b).copied().collect()));
            let mut union = x.clone();
            union.extend_from(&y);
            prop_assert_eq!(&union, &set(&a.union(&b).copied().collect()));
            prop_assert!(union.covers(&x) && union.covers(&y));
            prop_assert_eq!(x.cmp(&y), a.cmp(&b));
            prop_assert_eq!(x.holds_at_most(10), a.len() <= 10);
        }

        #[test]
        fn a_range_holds_its_cpus(start in 0u32..500, length in 0u32..500) {
            let range = start..start + length;
            prop_assert_eq!(CpuSet::from(range.clone()), range.map(CpuId).collect::<CpuSet>());
        }
    }

    #[test]
    fn the_highest_cpu_has_a_place_and_a_backward_range_is_empty() {
        assert_eq!(
            CpuSet::single(CpuId(u32::MAX)).first(),
            Some(CpuId(u32::MAX))
        );
        let (start, end) = (9, 3);
        assert!(CpuSet::from(start..end).is_empty());
        assert!(CpuSet::from(0..0).is_empty());
        assert_eq!(
            CpuSet::from(u32::MAX - 1..u32::MAX).first(),
            Some(CpuId(u32::MAX - 1))
        );
    }
}
