// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A request that fails has changed nothing, however it fails.

use super::host::{Host, ORGANISATIONS, Organisation, ROOMY, Side, Size};
use crate::domain::*;
use crate::store::{Cookie, CookieUse};
use crate::vector::{CpuId, CpuSet};
use std::sync::atomic::Ordering;

/// Does `request`, which must fail with `errno` and leave everything as it was.
fn undone<T: std::fmt::Debug>(
    host: &mut Host,
    sides: &[&Side],
    tokens: &[Interrupt],
    errno: i32,
    request: impl FnOnce(&mut Host) -> Result<T, DomainError>,
) {
    let before = host.snapshot(sides, 16, tokens);
    let error = request(host).unwrap_err();
    assert_eq!(error.errno(), errno, "{error}");
    assert_eq!(host.snapshot(sides, 16, tokens), before, "{error}");
}

fn cpu(cpu: u32) -> Affinity {
    Affinity::Cpu(CpuId(cpu))
}

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

#[test]
fn an_activation_that_finds_the_remap_table_full() {
    for organisation in ORGANISATIONS {
        let mut host = Host::new(Size {
            entries: 2,
            ..ROOMY
        });
        let side = host.ims_in(16, true, organisation);
        let first = host.start(&side, &Request::new(host.host));
        let second = host.start(&side, &Request::new(host.guest));
        let sides = [&side];
        let set = Affinity::Cpus(CpuSet::from(1..3));
        for affinity in [Affinity::Any, set, Affinity::Managed(CpuSet::from(0..2))] {
            let request = Request::new(host.host).affinity(affinity);
            let third = host.control.alloc(side.id, &request).unwrap();
            let tokens = [first, second, third];
            undone(&mut host, &sides, &tokens, 28, |h| {
                h.control.activate(third)
            });
            let _ = host.control.free(third).unwrap();
            assert_eq!(host.control.settle(), 0);
        }
    }
}

#[test]
fn a_cpu_that_cannot_be_reached() {
    for organisation in ORGANISATIONS {
        for remapped in [true, false] {
            let mut host = Host::new(ROOMY);
            let side = host.ims_in(16, remapped, organisation);
            let request = Request::new(host.host);
            let running = host.start(&side, &request.clone().affinity(cpu(0)));
            let waiting = host.control.alloc(side.id, &request).unwrap();
            let (sides, tokens) = ([&side], [running, waiting]);
            host.machine.unreachable.store(0b1110, Ordering::Relaxed);
            undone(&mut host, &sides, &tokens, 19, |h| {
                h.control.activate(waiting)
            });
            undone(&mut host, &sides, &tokens, 19, |h| {
                h.control.set_affinity(running, &cpu(2))
            });
            let zero = CpuId(0);
            undone(&mut host, &sides, &tokens, 19, |h| {
                h.control.cpu_offline(h.host, zero)
            });
            host.machine.unreachable.store(0, Ordering::Relaxed);
            assert!(host.control.activate(waiting).is_ok());
            assert!(host.control.set_affinity(running, &cpu(2)).is_ok());
        }
    }
}

#[test]
fn a_descriptor_or_an_apic_id_that_cannot_be_named() {
    for organisation in ORGANISATIONS {
        let mut host = Host::new(ROOMY);
        let posted = host.ims_in(16, true, organisation);
        let unmapped = host.ims_in(16, false, organisation);
        let on = |space| Request::new(space).affinity(cpu(0));
        let tokens = [
            host.start(&posted, &on(host.guest)),
            host.control.alloc(posted.id, &on(host.guest)).unwrap(),
            host.start(&unmapped, &on(host.host)),
            host.control.alloc(unmapped.id, &on(host.host)).unwrap(),
        ];
        let sides = [&posted, &unmapped];
        host.machine.high.store(true, Ordering::Relaxed);
        host.machine.wide.store(true, Ordering::Relaxed);
        for (running, waiting, errno) in [(tokens[0], tokens[1], 5), (tokens[2], tokens[3], 22)] {
            undone(&mut host, &sides, &tokens, errno, |h| {
                h.control.activate(waiting)
            });
            undone(&mut host, &sides, &tokens, errno, |h| {
                h.control.set_affinity(running, &cpu(1))
            });
        }
        for space in [host.guest, host.host] {
            let errno = if space == host.guest { 5 } else { 22 };
            undone(&mut host, &sides, &tokens, errno, |h| {
                h.control.cpu_offline(space, CpuId(0))
            });
        }
    }
}

#[test]
fn a_context_command_that_the_device_does_not_carry_out() {
    for remapped in [true, false] {
        let mut host = Host::new(ROOMY);
        let side = host.ims_in(16, remapped, Organisation::Context);
        let (id, sides) = (side.id, [&side]);
        let on = |host: &Host| Request::new(host.host).affinity(cpu(0));
        let running = host.start(&side, &on(&host));
        let masked = host.start(&side, &on(&host));
        host.control.mask(masked).unwrap();
        assert_eq!(host.raise(&side, host.index(masked)), Raised::Held);
        let request = on(&host);
        let waiting = host.control.alloc(id, &request).unwrap();
        let group = host
            .control
            .alloc_group(id, &[on(&host), on(&host)])
            .unwrap();
        let tokens = [running, masked, waiting];
        let commands = host.commands.clone();
        // Once only, and for good as long as it lasts.
        for times in [1, 100] {
            let mut fail = |request: &mut dyn FnMut(&mut Host) -> Result<(), DomainError>| {
                commands.arm(1, times);
                undone(&mut host, &sides, &tokens, 5, |h| request(h));
                commands.disarm();
            };
            let managed = Affinity::Managed(CpuSet::from(0..2));
            fail(&mut |h| h.control.alloc(id, &request).map(|_| ()));
            fail(&mut |h| {
                let requests = [request.clone(), request.clone().affinity(managed.clone())];
                h.control.alloc_group(id, &requests).map(|_| ())
            });
            fail(&mut |h| h.control.activate(waiting).map(|_| ()));
            fail(&mut |h| h.control.mask(running));
            fail(&mut |h| h.control.unmask(masked));
            fail(&mut |h| h.control.free(running).map(|_| ()));
            fail(&mut |h| h.control.free(masked).map(|_| ()));
            fail(&mut |h| h.control.free_group(id, group).map(|_| ()));
            if !remapped {
                fail(&mut |h| h.control.set_affinity(running, &cpu(1)).map(|_| ()));
                fail(&mut |h| h.control.set_affinity(masked, &cpu(1)).map(|_| ()));
                fail(&mut |h| h.control.cpu_offline(h.host, CpuId(0)).map(|_| ()));
            }
        }
        // Nothing has got out of step.
        assert_eq!(host.control.group(id, group).unwrap().count(), 2);
        host.control.unmask(masked).unwrap();
        assert_eq!(host.harvest_all(), [masked.virq()]);
        host.control.activate(waiting).unwrap();
        for token in tokens {
            let index = host.index(token);
            assert!(matches!(host.raise(&side, index), Raised::Sent(_)));
            assert_eq!(host.harvest_all(), [token.virq()]);
            let _ = host.control.free(token).unwrap();
        }
        host.control.free_group(id, group).unwrap();
        host.quiesce();
        host.assert_empty();
    }
}

#[test]
fn a_device_that_is_removed_while_a_command_fails_keeps_what_is_left() {
    let mut host = Host::new(ROOMY);
    let device = host.device(1);
    let shape = (Kind::Ims, 8);
    let context = Organisation::Context;
    let side = host
        .domain(device, shape, true, context, CookieUse::Opaque)
        .unwrap();
    let tokens: Vec<_> = (0..3)
        .map(|_| host.start(&side, &Request::new(host.host)))
        .collect();
    host.commands.arm(2, 1);
    assert_eq!(host.control.remove_device(device).unwrap_err().errno(), 5);
    assert!(host.control.location(tokens[0]).is_err());
    assert!(host.control.location(tokens[1]).is_ok());
    assert!(matches!(host.raise(&side, 1), Raised::Sent(_)));
    assert_eq!(
        host.control.remove_device(device),
        Ok(Removed {
            freed: 2,
            dropped: 0
        })
    );
    host.quiesce();
    host.assert_empty();
}

#[test]
fn a_new_owner_of_a_context_gets_its_own_cookie_after_a_failed_undo() {
    let mut host = Host::new(Size {
        vectors: 1,
        cpus: 1,
        entries: 8,
    });
    let device = host.device(1);
    let shape = (Kind::Ims, 8);
    let context = Organisation::Context;
    let side = host
        .domain(device, shape, true, context, CookieUse::Pasid)
        .unwrap();
    let pasid = |number| crate::store::Pasid::new(number).unwrap();
    let request = |host: &Host, owner| Request::new(host.host).cookie(pasid(owner));
    // The second member fails; so does every command after the first.
    let second = request(&host, 7).affinity(Affinity::Managed(CpuSet::from(0..2)));
    let group = [request(&host, 7), second];
    host.commands.arm(2, 100);
    assert!(host.control.alloc_group(side.id, &group).is_err());
    host.commands.disarm();
    let token = host.start(&side, &request(&host, 8));
    assert_eq!(host.index(token), 0);
    let old = side.port.raise(&host.raiser.enter(), 0, 0, Some(pasid(7)));
    assert_eq!(old, Raised::Refused(crate::sink::Refusal::Pasid));
    let own = side.port.raise(&host.raiser.enter(), 0, 0, Some(pasid(8)));
    assert!(matches!(own, Raised::Sent(_)));
}

#[test]
fn a_move_whose_invalidation_fails_gives_its_new_vector_to_nobody_else() {
    for times in [1, 2, 3] {
        let mut host = Host::new(Size {
            cpus: 2,
            vectors: 1,
            entries: 8,
        });
        let side = host.ims(4);
        let token = host.start(&side, &Request::new(host.host).affinity(cpu(0)));
        let at = host.target(token);
        host.invalidations.arm(1, times);
        let moved = host.control.set_affinity(token, &cpu(1));
        host.invalidations.disarm();
        if moved.is_err() {
            assert_eq!(host.target(token), at);
        }
        // Wherever its entry leads, the interrupt there is its own.
        let other = host
            .control
            .alloc(side.id, &Request::new(host.host))
            .unwrap();
        let _ = host.control.activate(other);
        let _ = host.raise(&side, 0);
        assert_eq!(host.quiesce(), [token.virq()], "{times} failures");
    }
}
