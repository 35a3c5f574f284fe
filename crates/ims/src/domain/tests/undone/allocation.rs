// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Requests for an interrupt that cannot be had.

use super::{cpu, undone};
use crate::domain::tests::host::{Host, ORGANISATIONS, ROOMY, Size};
use crate::domain::*;
use crate::store::{Cookie, CookieUse};
use crate::vector::CpuSet;

#[test]
fn an_allocation_that_finds_no_index() {
    for organisation in ORGANISATIONS {
        let mut host = Host::new(ROOMY);
        let side = host.ims_in(4, true, organisation);
        let request = Request::new(host.host);
        let first = host.start(&side, &request.clone().at(2));
        let (id, sides) = (side.id, [&side]);
        let (tokens, at) = ([first], |index| request.clone().at(index));
        undone(&mut host, &sides, &tokens, 34, |h| {
            h.control.alloc(id, &at(4))
        });
        undone(&mut host, &sides, &tokens, 34, |h| {
            h.control.alloc(id, &at(u32::MAX))
        });
        undone(&mut host, &sides, &tokens, 16, |h| {
            h.control.alloc(id, &at(2))
        });
        // A group whose k-th member fails.
        for (bad, errno) in [(4, 34), (2, 16), (0, 16)] {
            let group = [at(0), request.clone(), at(bad), at(3)];
            undone(&mut host, &sides, &tokens, errno, |h| {
                h.control.alloc_group(id, &group)
            });
        }
        let five = vec![request.clone(); 4];
        undone(&mut host, &sides, &tokens, 28, |h| {
            h.control.alloc_group(id, &five)
        });
        assert!(host.control.alloc_group(id, &five[..3]).is_ok());
        undone(&mut host, &sides, &tokens, 28, |h| {
            h.control.alloc(id, &request)
        });
    }
}

#[test]
fn an_allocation_that_finds_no_vector() {
    for organisation in ORGANISATIONS {
        let mut host = Host::new(Size {
            cpus: 2,
            vectors: 2,
            entries: 64,
        });
        let side = host.ims_in(16, true, organisation);
        let request = Request::new(host.host);
        let token = host.start(&side, &request.clone().affinity(cpu(0)));
        let (id, sides, tokens) = (side.id, [&side], [token]);
        let set = |cpus| request.clone().affinity(Affinity::Cpus(CpuSet::from(cpus)));
        let managed = |cpus| {
            request
                .clone()
                .affinity(Affinity::Managed(CpuSet::from(cpus)))
        };
        let group = [
            request.clone(),
            managed(0..2),
            set(0..2),
            set(1..2),
            request.clone(),
        ];
        undone(&mut host, &sides, &tokens, 28, |h| {
            h.control.alloc_group(id, &group)
        });
        undone(&mut host, &sides, &tokens, 19, |h| {
            h.control.alloc(id, &managed(1..3))
        });
        let rest = host.control.alloc_group(id, &group[1..3]).unwrap();
        undone(&mut host, &sides, &tokens, 28, |h| {
            h.control.alloc(id, &managed(1..2))
        });
        undone(&mut host, &sides, &tokens, 28, |h| {
            h.control.alloc(id, &set(0..2))
        });
        undone(&mut host, &sides, &tokens, 28, |h| {
            h.control.alloc(id, &request.clone().affinity(cpu(1)))
        });
        // One that only reserves is refused when it starts.
        let late = host.control.alloc(id, &request).unwrap();
        let tokens = [token, late];
        undone(&mut host, &sides, &tokens, 28, |h| h.control.activate(late));
        // A move has nowhere to go, and stays.
        assert_eq!(
            host.control
                .set_affinity(token, &cpu(1))
                .unwrap_err()
                .errno(),
            28
        );
        host.control.free_group(id, rest).unwrap();
        let _ = host.control.free(token).unwrap();
        let _ = host.control.free(late).unwrap();
        host.quiesce();
        host.assert_empty();
    }
}

#[test]
fn a_cookie_that_is_no_pasid() {
    for organisation in ORGANISATIONS {
        let mut host = Host::new(ROOMY);
        let device = host.device(1);
        let shape = (Kind::Ims, 16);
        let side = host
            .domain(device, shape, true, organisation, CookieUse::Pasid)
            .unwrap();
        let (id, sides) = (side.id, [&side]);
        for affinity in [Affinity::Any, cpu(1), Affinity::Managed(CpuSet::from(0..3))] {
            let good = Request::new(host.guest).affinity(affinity);
            let bad = good.clone().cookie(Cookie(1 << 20));
            undone(&mut host, &sides, &[], 22, |h| h.control.alloc(id, &bad));
            let group = [good.clone(), good, bad];
            undone(&mut host, &sides, &[], 22, |h| {
                h.control.alloc_group(id, &group)
            });
        }
        host.assert_empty();
    }
}
