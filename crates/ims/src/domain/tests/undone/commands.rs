// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Commands and invalidations that a device does not carry out.

use super::{cpu, undone};
use crate::domain::tests::host::{Host, Organisation, ROOMY, Size};
use crate::domain::*;
use crate::store::CookieUse;
use crate::vector::{CpuId, CpuSet};

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
