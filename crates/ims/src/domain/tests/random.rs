// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Thousands of mixed operations against the model.

mod invariants;
mod steps;

use super::host::{Host, ORGANISATIONS, Organisation, Side, Size};
use super::model::{Life, Model};
use super::ops::{CPUS, DOMAINS, SLOTS, Wish, op};
use crate::domain::*;
use crate::store::{CookieUse, Pasid};
use proptest::prelude::*;
use std::collections::BTreeSet;

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
