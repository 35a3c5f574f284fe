// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One operation on the host and on the model, and whether both say the same.

use super::{World, device_of, shape};
use crate::domain::tests::host::Organisation;
use crate::domain::tests::ops::{DOMAINS, Op, SLOTS, Whither, Wish};
use crate::domain::tests::reuse::assert_stale;
use crate::domain::*;
use crate::store::Pasid;
use crate::vector::CpuId;
use std::collections::BTreeMap;

impl World {
    pub(super) fn apply(&mut self, op: &Op) {
        match op {
            Op::Alloc {
                domain,
                request: wish,
            } => self.alloc(*domain, wish),
            Op::Group { domain, requests } => self.alloc_group(*domain, requests),
            Op::Activate(of) => self.activate(*of),
            Op::Mask(of) => {
                let Some(life) = self.pick(*of) else { return };
                self.host
                    .control
                    .mask(self.model.lives[life].token)
                    .unwrap();
                self.model.lives[life].masked = true;
            }
            Op::Unmask(of) => {
                let Some(life) = self.pick(*of) else { return };
                self.host
                    .control
                    .unmask(self.model.lives[life].token)
                    .unwrap();
                self.model.lives[life].masked = false;
                if self.model.lives[life].runs() {
                    self.model.release_held(life);
                }
            }
            Op::Move(of, whither) => self.set_affinity(*of, whither),
            Op::Free(of) => {
                let Some(life) = self.pick(*of) else { return };
                let token = self.model.lives[life].token;
                let freed = self.host.control.free(token).unwrap();
                assert_eq!(freed.dropped, self.freed(life));
            }
            Op::FreeGroup(of) => {
                if self.groups.is_empty() {
                    return;
                }
                let (domain, id, members) = self.groups.remove(of % self.groups.len());
                let side = self.sides[domain].id;
                let tokens: Vec<_> = members.iter().map(|&m| self.model.lives[m].token).collect();
                assert!(self.host.control.group(side, id).unwrap().eq(tokens));
                let dropped = self.host.control.free_group(side, id).unwrap();
                let expected = members
                    .iter()
                    .filter(|&&life| self.model.free(life))
                    .count();
                assert_eq!(dropped as usize, expected);
                assert!(self.host.control.group(side, id).is_err());
            }
            Op::Raise { of, engine, right } => {
                let Some(life) = self.pick(*of) else { return };
                let life = &self.model.lives[life];
                let (domain, index) = (life.domain, life.index);
                let owner = if *right { life.owner } else { Pasid::new(9) };
                self.raise(domain, *engine, index, owner);
            }
            Op::RaiseAny { domain, index } => self.raise(*domain, 0, *index, Pasid::new(1)),
            Op::Harvest { guest, cpu } => self.harvest(self.space(*guest), *cpu),
            Op::Settle => {
                self.host.control.settle();
            }
            Op::Offline { guest, cpu } => self.offline(self.space(*guest), CpuId(*cpu)),
            Op::Online { guest, cpu } => {
                let space = self.space(*guest);
                let was = self
                    .host
                    .control
                    .matrix(space)
                    .unwrap()
                    .is_online(CpuId(*cpu));
                let online = self.host.control.cpu_online(space, CpuId(*cpu));
                assert!(online.is_ok() != was, "{online:?}");
            }
            Op::RemoveDomain(domain) => {
                let removed = self
                    .host
                    .control
                    .remove_domain(self.sides[*domain].id)
                    .unwrap();
                self.removed(&[*domain], removed);
            }
            Op::RemoveDevice(second) => {
                let at = usize::from(*second);
                let removed = self.host.control.remove_device(self.devices[at]).unwrap();
                self.devices[at] = self.host.device([0x0100, 0x0200][at]);
                let domains: Vec<_> = (0..DOMAINS).filter(|&d| device_of(d) == at).collect();
                self.removed(&domains, removed);
            }
            Op::Stale(of) => {
                let gone = self.model.lives.iter().filter(|life| !life.live);
                let gone: Vec<_> = gone.map(|life| life.token).collect();
                if let Some(&token) = gone.get(of % gone.len().max(1)) {
                    let sides: Vec<_> = self.sides.iter().collect();
                    assert_stale(&mut self.host, &sides, SLOTS, token);
                }
            }
        }
    }

    fn alloc(&mut self, domain: usize, wish: &Wish) {
        let request = self.request(domain, wish);
        match self.host.control.alloc(self.sides[domain].id, &request) {
            Ok(token) => {
                self.born(domain, wish, token);
            }
            Err(error) => {
                let taken = |index| {
                    self.model.live_at(domain, index).is_some()
                        || self.model.is_retiring(domain, index)
                };
                match (error.errno(), wish.index) {
                    (34, Some(index)) => assert!(index >= SLOTS),
                    (16, Some(index)) => assert!(taken(index), "{index} is free"),
                    (28, None) => {}
                    (28, Some(index)) => assert!(!taken(index)),
                    _ => panic!("{error}"),
                }
                // Whatever takes no vector needs only an index.
                if wish.index.is_none() && matches!(wish.whither, Whither::Any) {
                    assert!((0..SLOTS).all(taken), "{error}");
                }
            }
        }
    }

    fn alloc_group(&mut self, domain: usize, wishes: &[Wish]) {
        let requests: Vec<_> = wishes
            .iter()
            .map(|wish| self.request(domain, wish))
            .collect();
        let side = self.sides[domain].id;
        if let Ok(id) = self.host.control.alloc_group(side, &requests) {
            let tokens: Vec<_> = self.host.control.group(side, id).unwrap().collect();
            assert_eq!(tokens.len(), wishes.len());
            let members = wishes.iter().zip(tokens);
            let members = members
                .map(|(wish, token)| self.born(domain, wish, token))
                .collect();
            self.groups.push((domain, id, members));
        }
    }

    fn activate(&mut self, of: usize) {
        let Some(life) = self.pick(of) else { return };
        let token = self.model.lives[life].token;
        let outcome = self.host.control.activate(token);
        if self.model.lives[life].started {
            assert_eq!(outcome, Err(DomainError::Active));
            return;
        }
        match outcome {
            Ok(Activated::ShutDown) => assert!(self.model.lives[life].managed.is_some()),
            Ok(Activated::Running(_)) => {}
            Err(error) => {
                assert_eq!(error.errno(), 28, "{error}");
                return;
            }
        }
        self.model.lives[life].started = true;
    }

    fn set_affinity(&mut self, of: usize, whither: &Whither) {
        let Some(life) = self.pick(of) else { return };
        let (token, from) = (self.model.lives[life].token, self.model.lives[life].at);
        let managed = self.model.lives[life].managed.is_some();
        let elsewhere = self
            .model
            .pending
            .iter()
            .any(|(place, &l)| l == life && Some(*place) != from);
        match self.host.control.set_affinity(token, &whither.affinity()) {
            Ok(Moved::Stayed) => {}
            Ok(Moved::Away { .. }) => assert!(!elsewhere, "moved while moving"),
            Err(DomainError::Managed) => {
                assert!(managed || matches!(whither, Whither::Managed(..)));
            }
            Err(DomainError::Moving) => assert!(elsewhere, "its old vector is quiet"),
            Err(error) => assert_eq!(error.errno(), 28, "{error}"),
        }
    }

    fn raise(&mut self, domain: usize, engine: u32, index: u32, submitter: Option<Pasid>) {
        let (organisation, ..) = shape(domain);
        let replicated = organisation == Organisation::Replicated;
        let flight = self.host.raiser.enter();
        let raised = self.sides[domain]
            .port
            .raise(&flight, engine, index, submitter);
        drop(flight);
        assert_eq!(
            raised,
            self.model
                .raise(domain, replicated, engine, index, submitter)
        );
    }

    pub(super) fn harvest(&mut self, space: SpaceId, cpu: u32) {
        let expected = self.model.harvest(space, cpu);
        let taken = self.host.harvest(space, cpu);
        let named = |(vector, virq): (u8, Option<Virq>)| (vector, virq.expect("nobody's vector"));
        assert_eq!(
            taken.into_iter().map(named).collect::<BTreeMap<_, _>>(),
            expected
        );
    }

    fn offline(&mut self, space: SpaceId, cpu: CpuId) {
        // Going offline settles first, which may start an interrupt that this then
        // shuts down again: look at it in between.
        self.host.control.settle();
        self.check();
        match self.host.control.cpu_offline(space, cpu) {
            Ok(_) => {
                let matrix = self.host.control.matrix(space).unwrap();
                assert!(!matrix.is_online(cpu));
                for life in self.model.live() {
                    let at = self
                        .host
                        .control
                        .location(self.model.lives[life].token)
                        .unwrap();
                    let started = self.model.lives[life].started;
                    let stayed = started
                        && at.space == space
                        && at.target.is_some_and(|(now, _)| now == cpu);
                    assert!(!stayed, "left behind on a CPU that is gone");
                }
            }
            Err(DomainError::Moving) => {}
            Err(error) => assert!([28, 19].contains(&error.errno()), "{error}"),
        }
    }
}
