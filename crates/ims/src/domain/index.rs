// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Numbers handed out lowest first, taken by name too, and given back.

use crate::bitmap::Bitmap;

/// A pool of the numbers below a limit.
///
/// It keeps a mark below which every number was given out at some time, and the
/// set of those that came back: what it takes grows with use, not with the limit.
#[derive(Debug, Clone)]
pub struct IndexPool {
    free: Bitmap,
    mark: u32,
    limit: u32,
}

impl IndexPool {
    /// All numbers below `limit` are free.
    pub fn new(limit: u32) -> Self {
        Self {
            free: Bitmap::new(),
            mark: 0,
            limit,
        }
    }

    /// How many numbers there are.
    pub fn limit(&self) -> u32 {
        self.limit
    }

    /// How many are taken.
    pub fn taken(&self) -> u32 {
        self.mark - self.free.len()
    }

    /// Takes the lowest free number.
    pub fn take(&mut self) -> Option<u32> {
        if let Some(number) = self.free.pop_first() {
            return Some(number);
        }
        let number = self.mark;
        (number < self.limit).then(|| {
            self.mark += 1;
            number
        })
    }

    /// Takes `number`, if it is below the limit and free.
    pub fn take_at(&mut self, number: u32) -> bool {
        if number >= self.limit {
            return false;
        }
        if number < self.mark {
            return self.free.remove(number);
        }
        self.free.insert_range(self.mark..number);
        self.mark = number + 1;
        true
    }

    /// Gives `number` back; says whether it was taken.
    pub fn give_back(&mut self, number: u32) -> bool {
        self.is_taken(number) && self.free.insert(number)
    }

    /// Whether `number` is taken.
    pub fn is_taken(&self, number: u32) -> bool {
        number < self.mark && !self.free.contains(number)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[derive(Debug, Clone)]
    enum Op {
        Take,
        TakeAt(u32),
        GiveBack(u32),
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            3 => Just(Op::Take),
            1 => (0u32..220).prop_map(Op::TakeAt),
            3 => (0u32..220).prop_map(Op::GiveBack),
        ]
    }

    proptest! {
        #[test]
        fn behaves_like_a_set_of_taken_numbers(ops in proptest::collection::vec(op(), 1..500)) {
            const LIMIT: u32 = 200;
            let mut pool = IndexPool::new(LIMIT);
            let mut model = BTreeSet::new();
            for op in ops {
                match op {
                    Op::Take => {
                        let lowest = (0..LIMIT).find(|n| !model.contains(n));
                        model.extend(lowest);
                        prop_assert_eq!(pool.take(), lowest);
                    }
                    Op::TakeAt(n) => {
                        prop_assert_eq!(pool.take_at(n), n < LIMIT && model.insert(n));
                    }
                    Op::GiveBack(n) => prop_assert_eq!(pool.give_back(n), model.remove(&n)),
                }
                prop_assert_eq!(pool.taken() as usize, model.len());
            }
        }
    }
}
