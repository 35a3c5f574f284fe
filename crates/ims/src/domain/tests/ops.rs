// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Operations on a host, as a strategy.

use crate::domain::Affinity;
use crate::vector::{CpuId, CpuSet};
use proptest::prelude::*;

pub(super) const CPUS: u32 = 4;
/// Slots of each domain.
pub(super) const SLOTS: u32 = 12;
/// Four organisations, remapped and not.
pub(super) const DOMAINS: usize = 8;

#[derive(Debug, Clone)]
pub(super) enum Op {
    Alloc { domain: usize, request: Wish },
    Group { domain: usize, requests: Vec<Wish> },
    Activate(usize),
    Mask(usize),
    Unmask(usize),
    Move(usize, Whither),
    Free(usize),
    FreeGroup(usize),
    Raise { of: usize, engine: u32, right: bool },
    RaiseAny { domain: usize, index: u32 },
    Harvest { guest: bool, cpu: u32 },
    Settle,
    Offline { guest: bool, cpu: u32 },
    Online { guest: bool, cpu: u32 },
    RemoveDomain(usize),
    RemoveDevice(bool),
    Stale(usize),
}

#[derive(Debug, Clone)]
pub(super) struct Wish {
    pub(super) index: Option<u32>,
    pub(super) guest: bool,
    pub(super) whither: Whither,
    pub(super) owner: u32,
}

#[derive(Debug, Clone)]
pub(super) enum Whither {
    Any,
    Cpu(u32),
    Cpus(u32, u32),
    Managed(u32, u32),
}

impl Whither {
    pub(super) fn affinity(&self) -> Affinity {
        let set = |first: u32, more: u32| CpuSet::from(first..(first + 1 + more).min(CPUS));
        match *self {
            Self::Any => Affinity::Any,
            Self::Cpu(cpu) => Affinity::Cpu(CpuId(cpu)),
            Self::Cpus(first, more) => Affinity::Cpus(set(first, more)),
            Self::Managed(first, more) => Affinity::Managed(set(first, more)),
        }
    }
}

pub(super) fn whither() -> impl Strategy<Value = Whither> {
    let range = || (0..CPUS, 0..3u32);
    prop_oneof![
        3 => Just(Whither::Any),
        3 => (0..CPUS).prop_map(Whither::Cpu),
        2 => range().prop_map(|(first, more)| Whither::Cpus(first, more)),
        2 => range().prop_map(|(first, more)| Whither::Managed(first, more)),
    ]
}

pub(super) fn wish() -> impl Strategy<Value = Wish> {
    let index = prop_oneof![2 => Just(None), 1 => (0..SLOTS + 1).prop_map(Some)];
    (index, any::<bool>(), whither(), 1..4u32).prop_map(|(index, guest, whither, owner)| Wish {
        index,
        guest,
        whither,
        owner,
    })
}

pub(super) fn op() -> impl Strategy<Value = Op> {
    let domain = || 0..DOMAINS;
    let life = || 0..10_000usize;
    let cpu = || (any::<bool>(), 0..CPUS);
    prop_oneof![
        12 => (domain(), wish()).prop_map(|(domain, request)| Op::Alloc { domain, request }),
        2 => (domain(), prop::collection::vec(wish(), 1..5))
            .prop_map(|(domain, requests)| Op::Group { domain, requests }),
        14 => life().prop_map(Op::Activate),
        5 => life().prop_map(Op::Mask),
        6 => life().prop_map(Op::Unmask),
        10 => (life(), whither()).prop_map(|(of, whither)| Op::Move(of, whither)),
        7 => life().prop_map(Op::Free),
        1 => life().prop_map(Op::FreeGroup),
        25 => (life(), 0..4u32, prop::bool::weighted(0.9))
            .prop_map(|(of, engine, right)| Op::Raise { of, engine, right }),
        2 => (domain(), 0..SLOTS + 2).prop_map(|(domain, index)| Op::RaiseAny { domain, index }),
        10 => cpu().prop_map(|(guest, cpu)| Op::Harvest { guest, cpu }),
        4 => Just(Op::Settle),
        2 => cpu().prop_map(|(guest, cpu)| Op::Offline { guest, cpu }),
        4 => cpu().prop_map(|(guest, cpu)| Op::Online { guest, cpu }),
        1 => domain().prop_map(Op::RemoveDomain),
        1 => prop::bool::weighted(0.5).prop_map(Op::RemoveDevice),
        3 => life().prop_map(Op::Stale),
    ]
}
