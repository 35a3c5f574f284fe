// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Thousands of mixed operations against the model.

use super::host::{Host, ORGANISATIONS, Organisation, Side, Size};
use super::model::{Life, Model};
use super::ops::{CPUS, DOMAINS, Op, SLOTS, Whither, Wish, op};
use super::reuse::assert_stale;
use crate::domain::*;
use crate::store::{CookieUse, Pasid};
use crate::vector::CpuId;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// Few vectors, so that they run out.
const SIZE: Size = Size {
    cpus: CPUS,
    vectors: 14,
    entries: 32,
};

struct World {
    host: Host,
    model: Model,
    devices: [DeviceId; 2],
    sides: Vec<Side>,
    groups: Vec<(usize, GroupId, Vec<usize>)>,
}

fn shape(domain: usize) -> (Organisation, bool, CookieUse) {
    let organisation = ORGANISATIONS[domain % 4];
    let cookies = if domain.is_multiple_of(3) {
        CookieUse::Pasid
    } else {
        CookieUse::Opaque
    };
    (organisation, domain < 5, cookies)
}

fn device_of(domain: usize) -> usize {
    domain % 2
}

impl World {
    fn new() -> Self {
        let mut host = Host::new(SIZE);
        let devices = [host.device(0x0100), host.device(0x0200)];
        let (model, sides, groups) = (Model::default(), Vec::new(), Vec::new());
        let mut world = Self {
            host,
            model,
            devices,
            sides,
            groups,
        };
        for domain in 0..DOMAINS {
            let side = world.add(domain);
            world.sides.push(side);
        }
        world
    }

    fn add(&mut self, domain: usize) -> Side {
        let (organisation, remapped, cookies) = shape(domain);
        let device = self.devices[device_of(domain)];
        let kind = (Kind::Ims, SLOTS);
        self.host
            .domain(device, kind, remapped, organisation, cookies)
            .unwrap()
    }

    fn space(&self, guest: bool) -> SpaceId {
        if guest {
            self.host.guest
        } else {
            self.host.host
        }
    }

    fn request(&self, domain: usize, wish: &Wish) -> Request {
        let (_, remapped, _) = shape(domain);
        let owner = Pasid::new(wish.owner).unwrap();
        let request = Request::new(self.space(wish.guest && remapped));
        let request = request.cookie(owner).affinity(wish.whither.affinity());
        Request {
            index: wish.index,
            ..request
        }
    }

    fn born(&mut self, domain: usize, wish: &Wish, token: Interrupt) -> usize {
        let at = self.host.control.location(token).unwrap();
        assert!(wish.index.is_none_or(|index| index == at.index));
        assert!(at.index < SLOTS && at.handle.is_none());
        assert_eq!(
            self.model.live_at(domain, at.index),
            None,
            "an index is given twice"
        );
        assert!(
            !self.model.is_retiring(domain, at.index),
            "an index is given too early"
        );
        let (_, _, cookies) = shape(domain);
        let life = Life {
            token,
            domain,
            index: at.index,
            space: at.space,
            managed: match wish.whither.affinity() {
                Affinity::Managed(set) => Some(set),
                _ => None,
            },
            owner: Pasid::new(wish.owner).filter(|_| cookies == CookieUse::Pasid),
            live: true,
            started: false,
            masked: false,
            at: None,
            held: BTreeSet::new(),
            counts: Counts::default(),
            taken: 0,
        };
        self.model.lives.push(life);
        self.model.lives.len() - 1
    }

    /// A live one, or none if there are none.
    fn pick(&self, of: usize) -> Option<usize> {
        let live: Vec<_> = self.model.live().collect();
        (!live.is_empty()).then(|| live[of % live.len()])
    }

    fn freed(&mut self, life: usize) -> bool {
        for (_, _, members) in &mut self.groups {
            members.retain(|&member| member != life);
        }
        self.model.free(life)
    }

    fn removed(&mut self, domains: &[usize], removed: Removed) {
        let lives: Vec<_> = self.model.live().collect();
        let mut expected = Removed::default();
        for life in lives {
            if domains.contains(&self.model.lives[life].domain) {
                expected.freed += 1;
                expected.dropped += u32::from(self.freed(life));
            }
        }
        assert_eq!(removed, expected);
        self.groups
            .retain(|(domain, _, _)| !domains.contains(domain));
        for &domain in domains {
            self.sides[domain] = self.add(domain);
            self.model.strays.remove(&domain);
            // Its indices are nobody's any more.
            for life in self
                .model
                .lives
                .iter_mut()
                .filter(|life| life.domain == domain)
            {
                life.domain = usize::MAX;
            }
        }
    }

    fn apply(&mut self, op: &Op) {
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

    fn harvest(&mut self, space: SpaceId, cpu: u32) {
        let expected = self.model.harvest(space, cpu);
        let taken = self.host.harvest(space, cpu);
        let named = |(vector, virq): (u8, Option<Virq>)| (vector, virq.expect("nobody's vector"));
        assert_eq!(
            taken.into_iter().map(named).collect::<BTreeMap<_, _>>(),
            expected
        );
    }

    fn offline(&mut self, space: SpaceId, cpu: CpuId) {
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

    /// What the owner learns by asking where its interrupts are; then what must
    /// hold after every step.
    fn check(&mut self) {
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
    fn finish(mut self) {
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, max_shrink_iters: 20_000, ..<_>::default() })]

    #[test]
    fn a_host_does_what_the_model_does(ops in prop::collection::vec(op(), 1..400)) {
        let mut world = World::new();
        for op in &ops {
            world.apply(op);
            world.check();
        }
        world.finish();
    }
}
