// SPDX-License-Identifier: Apache-2.0 OR MIT
//! DSA's shape: a function with nine MSI-X vectors and 2048 IMS slots, its domains,
//! and groups of interrupts.

use super::host::{Host, ORGANISATIONS, Organisation, ROOMY, Size};
use crate::domain::*;
use crate::store::CookieUse;
use crate::vector::CpuSet;
use std::collections::BTreeSet;

/// Room for everything such a function can have.
const LARGE: Size = Size {
    cpus: 12,
    vectors: 200,
    entries: 4096,
};

#[test]
fn msix_and_ims_lie_side_by_side_at_the_same_indices() {
    let mut host = Host::new(LARGE);
    let device = host.device(0x6a01);
    let table = Organisation::Table;
    let msix = host
        .domain(device, (Kind::MsiX, 9), true, table, CookieUse::Opaque)
        .unwrap();
    let ims = host
        .domain(device, (Kind::Ims, 2048), true, table, CookieUse::Opaque)
        .unwrap();
    for round in 0..2u32 {
        let request = Request::new(host.host);
        let vectors: Vec<_> = (0..9).map(|_| host.start(&msix, &request)).collect();
        let slots: Vec<_> = (0..2048).map(|_| host.start(&ims, &request)).collect();
        assert_eq!(host.control.interrupts(), 9 + 2048);
        assert!(matches!(
            host.control.alloc(ims.id, &request),
            Err(DomainError::NoIndex { limit: 2048 })
        ));
        for index in 0..9 {
            assert_eq!(host.index(vectors[index as usize]), index);
        }
        let all = || vectors.iter().chain(&slots);
        let virqs: BTreeSet<_> = all().map(|token| token.virq()).collect();
        assert_eq!(virqs.len(), 9 + 2048);
        // The same index raises another interrupt in each domain.
        for (side, tokens) in [(&msix, &vectors), (&ims, &slots)] {
            for &token in tokens {
                let index = host.index(token);
                assert_eq!(
                    host.raise(side, index),
                    Raised::Sent(crate::sink::Acceptance::Fresh)
                );
            }
        }
        let taken = host.harvest_all();
        assert_eq!(taken.len(), 9 + 2048);
        assert_eq!(taken.into_iter().collect::<BTreeSet<_>>(), virqs);
        for &token in all() {
            assert!(!host.control.free(token).unwrap().dropped);
        }
        assert_eq!(host.quiesce(), []);
        host.assert_empty();
        let past = host.control.past_counts(ims.id).unwrap();
        assert_eq!(past.raised, 2048 * u64::from(round + 1));
    }
}

#[test]
fn a_size_of_zero_is_as_many_as_the_store_has() {
    let mut host = Host::new(ROOMY);
    let device = host.device(1);
    let mut add = |kind, slots| {
        let config = DomainConfig {
            kind,
            hwsize: 0,
            path: Path::Remapped(host.unit),
        };
        let store = crate::store::table::Table::new(slots, CookieUse::Opaque);
        host.control
            .add_domain(device, config, store, host.remapped.clone())
            .unwrap()
            .0
    };
    let ims = add(Kind::Ims, 5000);
    let msix = add(Kind::MsiX, 5000);
    let request = Request::new(host.guest);
    let ims = host.control.alloc(ims, &request.clone().at(4999)).unwrap();
    assert_eq!(host.index(ims), 4999);
    let msix_last = host.control.alloc(msix, &request.clone().at(2047)).unwrap();
    assert_eq!(host.index(msix_last), 2047);
    assert_eq!(
        host.control.alloc(msix, &request.at(2048)),
        Err(DomainError::IndexOutOfRange {
            index: 2048,
            limit: 2048
        })
    );
}

#[test]
fn a_second_msix_domain_is_refused_and_a_second_ims_domain_is_not() {
    let mut host = Host::new(ROOMY);
    let device = host.device(1);
    let mut add = |kind| {
        host.domain(
            device,
            (kind, 4),
            true,
            Organisation::Table,
            CookieUse::Opaque,
        )
        .err()
    };
    assert_eq!(add(Kind::MsiX), None);
    assert_eq!(add(Kind::MsiX), Some(DomainError::KindTaken));
    assert_eq!(add(Kind::Ims), None);
    assert_eq!(add(Kind::Ims), None);
    assert_eq!(DomainError::KindTaken.errno(), 17);
}

#[test]
fn msix_has_at_most_2048_vectors_and_ims_as_many_as_its_store() {
    let mut host = Host::new(ROOMY);
    let mut add = |kind, size| {
        let device = host.device(1);
        host.domain(
            device,
            (kind, size),
            true,
            Organisation::Table,
            CookieUse::Opaque,
        )
        .err()
    };
    let refused = Some(DomainError::Size {
        asked: 2049,
        limit: MSIX_VECTORS,
    });
    assert_eq!(add(Kind::MsiX, 2049), refused);
    assert_eq!(add(Kind::MsiX, 2048), None);
    assert_eq!(add(Kind::Ims, 100_000), None);
}

#[test]
fn a_removed_msix_domain_makes_way_for_another() {
    let mut host = Host::new(ROOMY);
    let device = host.device(1);
    let shape = (Kind::MsiX, 4);
    let first = host
        .domain(device, shape, true, Organisation::Table, CookieUse::Opaque)
        .unwrap();
    host.control.remove_domain(first.id).unwrap();
    assert!(
        host.domain(device, shape, true, Organisation::Table, CookieUse::Opaque)
            .is_ok()
    );
}

#[test]
fn groups_count_from_zero_are_walked_over_and_freed_whole() {
    for organisation in ORGANISATIONS {
        let mut host = Host::new(ROOMY);
        let side = host.ims_in(32, true, organisation);
        let requests = vec![Request::new(host.host); 5];
        let first = host.control.alloc_group(side.id, &requests).unwrap();
        let second = host.control.alloc_group(side.id, &requests[..2]).unwrap();
        assert_eq!((first.number(), second.number()), (0, 1));
        let members: Vec<_> = host.control.group(side.id, first).unwrap().collect();
        let indices: Vec<_> = members.iter().map(|&token| host.index(token)).collect();
        assert_eq!(indices, [0, 1, 2, 3, 4]);
        // One freed by itself leaves its group; one kept pending is dropped.
        let _ = host.control.free(members[1]).unwrap();
        assert_eq!(host.control.group(side.id, first).unwrap().count(), 4);
        assert_eq!(host.raise(&side, 3), Raised::Held);
        assert_eq!(host.control.free_group(side.id, first), Ok(1));
        assert_eq!(
            host.control.free_group(side.id, first).unwrap_err().errno(),
            2
        );
        assert!(host.control.group(side.id, first).is_err());
        for token in members {
            assert_eq!(host.control.free(token).unwrap_err().errno(), 2);
        }
        // The number comes back, the id does not.
        let third = host.control.alloc_group(side.id, &requests[..1]).unwrap();
        assert_eq!(third.number(), 0);
        assert_ne!(third, first);
        assert!(host.control.free_group(side.id, first).is_err());
        assert_eq!(host.control.free_group(side.id, third), Ok(0));
        assert_eq!(host.control.free_group(side.id, second), Ok(0));
        host.quiesce();
        host.assert_empty();
    }
}

#[test]
fn an_empty_group_is_refused() {
    let mut host = Host::new(ROOMY);
    let side = host.ims(4);
    assert_eq!(
        host.control.alloc_group(side.id, &[]),
        Err(DomainError::EmptyGroup)
    );
}

#[test]
fn removing_a_device_frees_everything_in_every_room() {
    let mut host = Host::new(ROOMY);
    let device = host.device(0x6a01);
    let mut sides = Vec::new();
    for organisation in ORGANISATIONS {
        for remapped in [true, false] {
            let shape = (Kind::Ims, 16);
            let cookies = CookieUse::Opaque;
            sides.push(
                host.domain(device, shape, remapped, organisation, cookies)
                    .unwrap(),
            );
        }
    }
    let mut dropped = 0;
    for side in &sides {
        let managed = Affinity::Managed(CpuSet::from(0..2));
        let requests = [
            Request::new(host.host),
            Request::new(host.host).affinity(managed),
        ];
        for request in &requests {
            let _ = host.start(side, request);
            let masked = host.start(side, request);
            host.control.mask(masked).unwrap();
            let index = host.index(masked);
            assert_eq!(host.raise(side, index), Raised::Held);
            dropped += 1;
        }
    }
    let removed = host.control.remove_device(device).unwrap();
    assert_eq!(
        removed,
        Removed {
            freed: 4 * 8,
            dropped
        }
    );
    for side in &sides {
        assert_eq!(
            host.raise(side, 0),
            Raised::Refused(crate::sink::Refusal::NotAllocated)
        );
        assert!(
            host.control
                .alloc(side.id, &Request::new(host.host))
                .is_err()
        );
    }
    assert!(host.control.remove_device(device).is_err());
    host.quiesce();
    host.assert_empty();
    assert_eq!(host.control.take_released().len(), 4 * 8);
    assert!(host.control.domains.is_empty());
}
