// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which PASIDs are somebody's.

use std::collections::BTreeSet;

use ims::store::Pasid;

/// PASIDs have 20 bits (PCIe 6.20), and 0 is the host's own.
pub(super) const PASIDS: u32 = (1 << 20) - 1;

/// Gives PASIDs out, each once, and one that was given back as late as it can.
#[derive(Debug, Default)]
pub(super) struct Pasids {
    taken: BTreeSet<u32>,
    last: u32,
}

impl Pasids {
    /// The next PASID that nobody has.
    pub(super) fn take(&mut self) -> Option<Pasid> {
        // One more than are taken are tried, so the first gap is found.
        let mut number = self.last;
        for _ in 0..=self.taken.len() {
            number = if number >= PASIDS { 1 } else { number + 1 };
            if self.taken.insert(number) {
                self.last = number;
                return Pasid::new(number);
            }
            if self.taken.len() >= usize::try_from(PASIDS).unwrap_or(usize::MAX) {
                return None;
            }
        }
        None
    }

    /// Nothing of its owner is on its way any more.
    pub(super) fn give_back(&mut self, pasid: Pasid) {
        self.taken.remove(&pasid.get());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_given_back_is_the_last_to_be_given_again() {
        let mut pasids = Pasids::default();
        let first = pasids.take().unwrap();
        assert_eq!(first.get(), 1);
        pasids.give_back(first);
        assert_eq!(pasids.take().unwrap().get(), 2);
        pasids.last = PASIDS;
        assert_eq!(pasids.take().unwrap().get(), 1);
        assert_eq!(pasids.take().unwrap().get(), 3);
    }

    #[test]
    fn when_all_are_taken_there_is_none_until_one_is_given_back() {
        let mut pasids = Pasids {
            taken: (1..=PASIDS).collect(),
            last: 77,
        };
        assert_eq!(pasids.take(), None);
        pasids.give_back(Pasid::new(5).unwrap());
        assert_eq!(pasids.take(), Pasid::new(5));
        assert_eq!(pasids.take(), None);
    }

    proptest! {
        #[test]
        fn nobody_is_given_what_somebody_has(steps in proptest::collection::vec(any::<(bool, prop::sample::Index)>(), 1..200)) {
            let mut pasids = Pasids { last: PASIDS - 20, ..Pasids::default() };
            let mut held = Vec::new();
            for (take, which) in steps {
                if take || held.is_empty() {
                    let pasid = pasids.take().unwrap();
                    prop_assert!(pasid.get() > 0);
                    prop_assert!(!held.contains(&pasid));
                    held.push(pasid);
                } else {
                    pasids.give_back(held.swap_remove(which.index(held.len())));
                }
            }
        }
    }
}
