// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What must hold after every operation, and when all is over.

use super::{World, shape};
use crate::domain::tests::ops::CPUS;
use crate::domain::*;
use crate::vector::CpuId;
use std::collections::BTreeSet;

impl World {
    /// What the owner learns by asking where its interrupts are; then what must
    /// hold after every step.
    pub(super) fn check(&mut self) {
        let live: Vec<_> = self.model.live().collect();
        for &life in &live {
            let now = self
                .host
                .control
                .location(self.model.lives[life].token)
                .unwrap();
            let model = &mut self.model.lives[life];
            assert_eq!((now.index, now.space), (model.index, model.space));
            let at = now.target.map(|(cpu, vector)| (now.space, cpu.0, vector));
            let at = at.filter(|_| model.started);
            if let (Some((_, cpu, _)), Some(set)) = (at, &model.managed) {
                assert!(set.contains(CpuId(cpu)), "a managed interrupt strays");
            }
            assert_eq!(now.handle.is_some(), at.is_some() && shape(model.domain).1);
            model.at = at;
            if model.runs() {
                self.model.release_held(life);
            }
        }
        let (mut places, mut handles) = (BTreeSet::new(), BTreeSet::new());
        for &life in &live {
            let model = &self.model.lives[life];
            let location = self.host.control.location(model.token).unwrap();
            if let Some((space, cpu, vector)) = model.at {
                let dispatch = self.host.control.dispatch(space).unwrap();
                assert_eq!(dispatch.virq(CpuId(cpu), vector), Some(model.token.virq()));
            }
            let target = location
                .target
                .map(|(cpu, vector)| (location.space, cpu.0, vector));
            assert!(
                target.is_none_or(|place| places.insert(place)),
                "a vector is given twice"
            );
            if let Some(place) = target {
                let owner = self.model.pending.get(&place);
                assert!(
                    owner.is_none_or(|&owner| owner == life),
                    "a vector is given too early"
                );
            }
            let handle = location.handle;
            assert!(
                handle.is_none_or(|handle| handles.insert(handle)),
                "a handle is given twice"
            );
            let port = &self.sides[model.domain].port;
            assert_eq!(port.counts(model.index), Some(model.counts), "{model:?}");
            assert_eq!(port.is_pending(model.index), !model.held.is_empty());
        }
        for (&(space, cpu, vector), &life) in &self.model.pending {
            let dispatch = self.host.control.dispatch(space).unwrap();
            let virq = self.model.lives[life].token.virq();
            assert_eq!(
                dispatch.virq(CpuId(cpu), vector),
                Some(virq),
                "a pending bit is nobody's"
            );
        }
        for (&domain, &strays) in &self.model.strays {
            assert_eq!(self.sides[domain].port.strays(), strays);
        }
        for space in [self.host.host, self.host.guest] {
            self.host.control.matrix(space).unwrap().check().unwrap();
        }
    }

    /// Frees everything, takes everything: the pools are as at the start, and all
    /// counters add up.
    pub(super) fn finish(mut self) {
        for life in self.model.live().collect::<Vec<_>>() {
            let freed = self
                .host
                .control
                .free(self.model.lives[life].token)
                .unwrap();
            assert_eq!(freed.dropped, self.freed(life));
        }
        for space in [self.host.host, self.host.guest] {
            (0..CPUS).for_each(|cpu| self.harvest(space, cpu));
        }
        assert_eq!(self.host.control.settle(), 0);
        self.host.assert_empty();
        for life in &self.model.lives {
            let c = life.counts;
            let sum = life.taken + c.handed_over + c.coalesced + c.refused + c.dropped;
            assert_eq!(c.raised, sum, "{life:?}");
        }
        for (domain, side) in self.sides.iter().enumerate() {
            let mut past = Counts::default();
            let lives = self.model.lives.iter().filter(|life| life.domain == domain);
            lives.for_each(|life| past += life.counts);
            assert_eq!(self.host.control.past_counts(side.id), Some(past));
        }
    }
}
