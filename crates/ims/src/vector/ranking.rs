// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The CPU with the most available vectors, without a scan.
//!
//! A tournament of cache lines: a line holds 32 entries of 16 bits, each how
//! much is available and, below it, where in the line the entry stands, lower
//! places being higher numbers. So the greatest entry of a line names the winner
//! with ties going to the lowest CPU, and finding it is a handful of vector
//! instructions. The winner of each line plays in the line above: three lines
//! for 5,000 CPUs, and little more than two bytes a CPU.

use super::{CpuId, CpuSet};
use alloc::vec::Vec;

/// Entries in a line, and log2 of it.
const LINE: usize = 1 << PLACE_BITS;
const PLACE_BITS: u32 = 5;
/// The place of an entry, complemented.
const PLACE: i16 = (1 << PLACE_BITS) - 1;

#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
struct Line([i16; LINE]);

impl Line {
    const EMPTY: Self = Self([0; LINE]);

    /// The greatest entry: 0, or the winner's.
    #[inline]
    fn best(&self) -> i16 {
        // Signed, because that comparison is in every x86-64.
        self.0.iter().fold(0, |best, entry| best.max(*entry))
    }
}

#[inline]
fn available(entry: i16) -> u16 {
    entry.unsigned_abs() >> PLACE_BITS
}

/// How much is available on each CPU; 0 for one that cannot be chosen.
#[derive(Debug, Clone)]
pub(super) struct Ranking {
    /// The CPUs' lines first; the last level is one line.
    levels: Vec<Vec<Line>>,
}

impl Ranking {
    pub(super) fn new(cpus: u32) -> Self {
        let mut ranking = Self { levels: Vec::new() };
        ranking.grow(cpus);
        ranking
    }

    /// Makes room for CPUs up to `cpus`.
    pub(super) fn grow(&mut self, cpus: u32) {
        let lines = (cpus as usize).div_ceil(LINE).max(1);
        let mut level = match self.levels.first_mut() {
            Some(lowest) if lowest.len() >= lines => return,
            Some(lowest) => core::mem::take(lowest),
            None => Vec::new(),
        };
        level.resize(lines, Line::EMPTY);
        self.levels.clear();
        while level.len() > 1 {
            let above = level.chunks(LINE).map(Self::summary).collect();
            self.levels.push(core::mem::replace(&mut level, above));
        }
        self.levels.push(level);
    }

    /// The line above these lines.
    fn summary(lines: &[Line]) -> Line {
        let mut above = Line::EMPTY;
        for ((entry, line), place) in above.0.iter_mut().zip(lines).zip(0..) {
            *entry = Self::entry(available(line.best()), place);
        }
        above
    }

    #[inline]
    fn entry(available: u16, place: i16) -> i16 {
        // At most 256, so that the entry stays within 14 bits.
        match i16::try_from(available) {
            Ok(available @ 1..=256) => available << PLACE_BITS | (PLACE - place),
            _ => 0,
        }
    }

    /// Records what is available on `cpu`.
    #[inline]
    pub(super) fn set(&mut self, cpu: CpuId, now: u16) {
        let mut at = cpu.0 as usize;
        let mut now = now;
        for level in &mut self.levels {
            let place = at % LINE;
            let Ok(standing) = i16::try_from(place) else {
                return;
            };
            at /= LINE;
            let Some(line) = level.get_mut(at) else {
                return;
            };
            let Some(entry) = line.0.get_mut(place) else {
                return;
            };
            let new = Self::entry(now, standing);
            if *entry == new {
                return;
            }
            *entry = new;
            now = available(line.best());
        }
    }

    /// What is available on `cpu`.
    #[inline]
    pub(super) fn available(&self, cpu: CpuId) -> u16 {
        let at = cpu.0 as usize;
        self.levels
            .first()
            .and_then(|lines| lines.get(at / LINE))
            .and_then(|line| line.0.get(at % LINE))
            .map_or(0, |entry| available(*entry))
    }

    /// The CPU with the most available, the lowest of several; `None` if there
    /// is nothing anywhere.
    #[inline]
    pub(super) fn best(&self) -> Option<CpuId> {
        let mut at = 0u32;
        for level in self.levels.iter().rev() {
            let best = level.get(at as usize)?.best();
            if best == 0 {
                return None;
            }
            at = at << PLACE_BITS | u32::from((PLACE - (best & PLACE)).unsigned_abs());
        }
        Some(CpuId(at))
    }

    /// What is available on the best CPU of a lowest line.
    #[inline]
    fn best_of_line(&self, line: usize) -> u16 {
        let entry = match self.levels.get(1) {
            Some(above) => above
                .get(line / LINE)
                .and_then(|above| above.0.get(line % LINE))
                .copied(),
            None => self
                .levels
                .first()
                .and_then(|lines| lines.get(line))
                .map(Line::best),
        };
        entry.map_or(0, available)
    }

    /// The same among `cpus`: passes over lines that have nothing better.
    pub(super) fn best_of(&self, cpus: &CpuSet) -> Option<CpuId> {
        let mut best = None;
        let mut most = 0;
        for (first, members) in cpus.groups_of_32() {
            if self.best_of_line(first.0 as usize / LINE) <= most {
                continue;
            }
            let mut left = members;
            while left != 0 {
                let cpu = CpuId(first.0 | left.trailing_zeros());
                left &= left - 1;
                let available = self.available(cpu);
                if available > most {
                    most = available;
                    best = Some(cpu);
                }
            }
        }
        best
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_best_is_the_one_a_scan_finds(
            cpus in prop_oneof![1u32..40, 900u32..1100, 30_000u32..36_000],
            sets in proptest::collection::vec((any::<u32>(), 0u16..=256, 0u32..80), 1..100)
        ) {
            let mut ranking = Ranking::new(cpus);
            let mut model = vec![0u16; cpus as usize];
            for (cpu, available, grown) in sets {
                model.resize(model.len() + grown as usize, 0);
                let cpus = u32::try_from(model.len()).unwrap();
                ranking.grow(cpus);
                let cpu = cpu % cpus;
                ranking.set(CpuId(cpu), available);
                model[cpu as usize] = available;
                prop_assert_eq!(ranking.available(CpuId(cpu)), available);
                let all = || (0..cpus).map(CpuId);
                let scan = all().rev().max_by_key(|cpu| model[cpu.0 as usize]);
                let scan = scan.filter(|cpu| model[cpu.0 as usize] > 0);
                prop_assert_eq!(ranking.best(), scan);
                prop_assert_eq!(ranking.best_of(&CpuSet::from(0..cpus)), scan);
                let odd = all().skip(1).step_by(2);
                let scan = odd.clone().collect::<Vec<_>>().into_iter().rev().max_by_key(|cpu| model[cpu.0 as usize]);
                let scan = scan.filter(|cpu| model[cpu.0 as usize] > 0);
                prop_assert_eq!(ranking.best_of(&odd.collect()), scan);
            }
        }
    }

    #[test]
    fn a_cpu_never_heard_of_has_nothing_and_is_not_recorded() {
        let mut ranking = Ranking::new(3);
        ranking.set(CpuId(u32::MAX), 9);
        assert_eq!(ranking.available(CpuId(u32::MAX)), 0);
        assert_eq!(ranking.best(), None);
        assert_eq!(Ranking::new(0).best(), None);
    }
}
