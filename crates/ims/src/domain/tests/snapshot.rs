// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Everything that can be observed of a host, to tell whether it changed.

use super::host::{Host, Side};
use crate::domain::{Counts, Interrupt, Location};
use crate::store::Contents;
use crate::vector::CpuId;
use std::sync::atomic::Ordering;

/// One interrupt, as its owner sees it.
type Seen = (Interrupt, Location, bool);

/// A matrix, its maps, and who is at which vector of which CPU.
type Space = (String, Vec<String>, Vec<(u32, u8, u32)>);

/// A slot's index, what each copy holds, its counts, whether it is pending.
type Slot = (u32, Vec<Option<Contents>>, Option<Counts>, bool);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Snapshot {
    interrupts: u32,
    handles: u32,
    affinities: u32,
    shut: Vec<u32>,
    retiring: usize,
    released: usize,
    /// Matrices with their maps, and who is at which vector.
    spaces: Vec<Space>,
    /// Present remap entries.
    entries: Vec<(u32, u128)>,
    /// Slots and counts.
    slots: Vec<Slot>,
    tokens: Vec<Seen>,
    past: Vec<Option<Counts>>,
}

impl Host {
    /// Looks at everything, of these domains' first `slots` slots and these tokens.
    pub(super) fn snapshot(&self, sides: &[&Side], slots: u32, tokens: &[Interrupt]) -> Snapshot {
        let unit = self.control.unit(self.unit).unwrap();
        let spaces = [self.host, self.guest].map(|space| {
            let matrix = self.control.matrix(space).unwrap();
            let dispatch = self.control.dispatch(space).unwrap();
            let cpus = || (0..matrix.cpus()).map(CpuId);
            let maps = cpus().map(|cpu| format!("{:?}", matrix.cpu(cpu))).collect();
            let live = |cpu: CpuId| dispatch.of(cpu).map(move |(v, virq)| (cpu.0, v, virq.0));
            (
                matrix.to_string(),
                maps,
                cpus().flat_map(live).collect::<Vec<_>>(),
            )
        });
        let entry = |handle| {
            let entry = unit.entry(handle).ok()?;
            entry.is_present().then_some((handle, entry.0))
        };
        let slot = |side: &Side, index| {
            let contents = side.port.contents(index).into_iter();
            // A slot that was never prepared and one that is nobody's are the same.
            let contents = contents.map(|slot| slot.filter(|slot| slot.control & 4 == 0));
            let port = &side.port;
            (
                index,
                contents.collect(),
                port.counts(index),
                port.is_pending(index),
            )
        };
        Snapshot {
            interrupts: self.control.interrupts(),
            handles: unit.allocated(),
            affinities: self.control.affinities.used(),
            shut: self.control.shut.clone(),
            retiring: self.control.retired.len(),
            released: self.control.released.len(),
            spaces: spaces.to_vec(),
            entries: (0..unit.modes().entries()).filter_map(entry).collect(),
            slots: sides
                .iter()
                .flat_map(|side| (0..slots).map(move |index| slot(side, index)))
                .collect(),
            tokens: tokens
                .iter()
                .map(|&token| {
                    let entry = self.control.entry(token).unwrap();
                    let masked = entry.is(crate::domain::entry::MASKED);
                    (token, self.control.location(token).unwrap(), masked)
                })
                .collect(),
            past: sides
                .iter()
                .map(|side| self.control.past_counts(side.id))
                .collect(),
        }
    }

    pub(super) fn writes(&self) -> u32 {
        self.entries.writes.load(Ordering::Relaxed)
    }
}
