// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Moves: what is written, what waits, and what reaches whom.

use super::host::{Host, ORGANISATIONS, Organisation, ROOMY};
use crate::domain::*;
use crate::sink::Acceptance;
use crate::vector::{CpuId, CpuSet};

fn cpu(cpu: u32) -> Affinity {
    Affinity::Cpu(CpuId(cpu))
}

#[test]
fn a_remapped_move_is_one_entry_write_and_no_slot_write() {
    for organisation in ORGANISATIONS {
        let mut host = Host::new(ROOMY);
        for space in [host.host, host.guest] {
            let side = host.ims_in(4, true, organisation);
            let token = host.start(&side, &Request::new(space).affinity(cpu(0)));
            let slot = side.port.contents(0);
            let writes = host.writes();
            let (from, to) = (host.target(token), CpuId(2));
            let moved = host.control.set_affinity(token, &cpu(2)).unwrap();
            assert!(matches!(moved, Moved::Away { from: f, to: t } if f == from && t.0 == to));
            assert_eq!(host.writes(), writes + 1);
            assert_eq!(side.port.contents(0), slot);
            assert_eq!(host.raise(&side, 0), Raised::Sent(Acceptance::Fresh));
            assert_eq!(host.harvest(space, 0), []);
            assert_eq!(
                host.harvest(space, 2),
                [(host.target(token).1, Some(token.virq()))]
            );
        }
    }
}

#[test]
fn an_unmapped_move_rewrites_the_slot_and_keeps_what_is_pending() {
    for organisation in ORGANISATIONS {
        let mut host = Host::new(ROOMY);
        let side = host.ims_in(4, false, organisation);
        let token = host.start(&side, &Request::new(host.host).affinity(cpu(0)));
        let slot = side.port.contents(0);
        let writes = host.writes();
        host.control.mask(token).unwrap();
        assert_eq!(host.raise(&side, 0), Raised::Held);
        host.control.set_affinity(token, &cpu(3)).unwrap();
        assert!(side.port.is_pending(0));
        assert_eq!(host.harvest_all(), []);
        assert_ne!(
            side.port.contents(0)[0].unwrap().message,
            slot[0].unwrap().message
        );
        assert_eq!(host.writes(), writes);
        host.control.unmask(token).unwrap();
        assert_eq!(
            host.harvest(host.host, 3),
            [(host.target(token).1, Some(token.virq()))]
        );
        assert_eq!(host.harvest_all(), []);
    }
}

#[test]
fn an_unmapped_move_replays_what_a_busy_cpu_had_not_taken() {
    for organisation in ORGANISATIONS {
        let mut host = Host::new(ROOMY);
        let side = host.ims_in(4, false, organisation);
        let token = host.start(&side, &Request::new(host.host).affinity(cpu(0)));
        host.machine
            .busy
            .store(true, std::sync::atomic::Ordering::SeqCst);
        assert_eq!(host.raise(&side, 0), Raised::Held);
        host.machine
            .busy
            .store(false, std::sync::atomic::Ordering::SeqCst);
        host.control.set_affinity(token, &cpu(1)).unwrap();
        assert_eq!(
            host.harvest(host.host, 1),
            [(host.target(token).1, Some(token.virq()))]
        );
        side.port.retry(&host.raiser.enter(), 0);
        assert_eq!(host.harvest_all(), []);
        let counts = side.port.counts(0).unwrap();
        assert_eq!((counts.raised, counts.held), (1, 1));
    }
}

#[test]
fn what_a_busy_cpu_did_not_take_is_delivered_once_by_the_retry() {
    let mut host = Host::new(ROOMY);
    let side = host.ims_in(4, true, Organisation::Replicated);
    let token = host.start(&side, &Request::new(host.host));
    host.machine
        .busy
        .store(true, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(host.raise(&side, 0), Raised::Held);
    assert_eq!(host.raise(&side, 0), Raised::Met);
    host.machine
        .busy
        .store(false, std::sync::atomic::Ordering::SeqCst);
    side.port.retry(&host.raiser.enter(), 0);
    side.port.retry(&host.raiser.enter(), 0);
    assert_eq!(host.harvest_all(), [token.virq()]);
}

#[test]
fn a_second_move_waits_until_the_old_vector_is_quiet() {
    let mut host = Host::new(ROOMY);
    let side = host.ims(4);
    let token = host.start(&side, &Request::new(host.guest).affinity(cpu(0)));
    assert_eq!(host.raise(&side, 0), Raised::Sent(Acceptance::Fresh));
    host.control.set_affinity(token, &cpu(1)).unwrap();
    let before = host.snapshot(&[&side], 4, &[token]);
    let refused = host.control.set_affinity(token, &cpu(2));
    assert_eq!(refused, Err(DomainError::Moving));
    assert_eq!(DomainError::Moving.errno(), 16);
    assert_eq!(host.snapshot(&[&side], 4, &[token]), before);
    // What was on its way still reaches the interrupt on its old CPU.
    assert_eq!(host.harvest(host.guest, 0), [(0x20, Some(token.virq()))]);
    assert!(matches!(
        host.control.set_affinity(token, &cpu(2)),
        Ok(Moved::Away { .. })
    ));
    host.quiesce();
    let allocated = |cpu| {
        host.control
            .matrix(host.guest)
            .unwrap()
            .allocated(CpuId(cpu))
    };
    assert_eq!([0, 1, 2, 3].map(allocated), [0, 0, 1, 0]);
}

#[test]
fn a_move_while_a_flight_is_open_keeps_the_old_vector_for_it() {
    let mut host = Host::new(ROOMY);
    let side = host.ims(4);
    let token = host.start(&side, &Request::new(host.host).affinity(cpu(0)));
    let mut other = host.control.raiser();
    let flight = other.enter();
    host.control.set_affinity(token, &cpu(1)).unwrap();
    assert_eq!(host.control.settle(), 1);
    assert_eq!(
        host.control.set_affinity(token, &cpu(2)),
        Err(DomainError::Moving)
    );
    let dispatch = host.control.dispatch(host.host).unwrap();
    assert_eq!(dispatch.virq(CpuId(0), 0x20), Some(token.virq()));
    drop(flight);
    assert_eq!(host.control.settle(), 0);
    assert_eq!(dispatch.virq(CpuId(0), 0x20), None);
}

#[test]
fn freeing_while_moving_gives_back_both_vectors() {
    let mut host = Host::new(ROOMY);
    let side = host.ims(4);
    let token = host.start(&side, &Request::new(host.host).affinity(cpu(0)));
    assert_eq!(host.raise(&side, 0), Raised::Sent(Acceptance::Fresh));
    host.control.set_affinity(token, &cpu(1)).unwrap();
    assert_eq!(host.raise(&side, 0), Raised::Sent(Acceptance::Fresh));
    assert!(!host.control.free(token).unwrap().dropped);
    assert_eq!(host.control.settle(), 2);
    assert_eq!(host.harvest(host.host, 1).len(), 1);
    assert_eq!(host.control.settle(), 1);
    assert_eq!(host.control.interrupts(), 1);
    assert_eq!(host.quiesce(), [token.virq()]);
    host.assert_empty();
}

#[test]
fn an_interrupt_stays_where_the_new_affinity_allows_it() {
    let mut host = Host::new(ROOMY);
    let side = host.ims(4);
    let token = host.start(&side, &Request::new(host.host).affinity(cpu(1)));
    let at = host.target(token);
    for affinity in [cpu(1), Affinity::Any, Affinity::Cpus(CpuSet::from(1..3))] {
        assert_eq!(
            host.control.set_affinity(token, &affinity),
            Ok(Moved::Stayed)
        );
        assert_eq!(host.target(token), at);
    }
    let set = Affinity::Cpus(CpuSet::from(2..3));
    assert!(matches!(
        host.control.set_affinity(token, &set),
        Ok(Moved::Away { .. })
    ));
    assert_eq!(host.target(token).0, CpuId(2));
}

#[test]
fn an_affinity_set_before_activation_is_where_it_starts() {
    let mut host = Host::new(ROOMY);
    let side = host.ims(4);
    let token = host
        .control
        .alloc(side.id, &Request::new(host.host))
        .unwrap();
    assert_eq!(host.control.set_affinity(token, &cpu(3)), Ok(Moved::Stayed));
    host.control.activate(token).unwrap();
    assert_eq!(host.target(token).0, CpuId(3));
    let early = host
        .control
        .alloc(side.id, &Request::new(host.host).affinity(cpu(0)))
        .unwrap();
    assert!(matches!(
        host.control.set_affinity(early, &cpu(2)),
        Ok(Moved::Away { .. })
    ));
    host.control.activate(early).unwrap();
    assert_eq!(host.target(early).0, CpuId(2));
    assert_eq!(host.raise(&side, 1), Raised::Sent(Acceptance::Fresh));
    assert_eq!(host.quiesce(), [early.virq()]);
}

#[test]
fn the_affinity_of_a_managed_interrupt_is_not_the_callers() {
    let mut host = Host::new(ROOMY);
    let side = host.ims(4);
    let managed = Affinity::Managed(CpuSet::from(0..2));
    let token = host.start(&side, &Request::new(host.host).affinity(managed.clone()));
    assert_eq!(
        host.control.set_affinity(token, &Affinity::Any),
        Err(DomainError::Managed)
    );
    let plain = host.start(&side, &Request::new(host.host));
    assert_eq!(
        host.control.set_affinity(plain, &managed),
        Err(DomainError::Managed)
    );
}

#[test]
fn an_unmapped_move_waits_for_those_who_may_have_read_the_slot() {
    use std::sync::atomic::{AtomicU32, Ordering};
    for organisation in ORGANISATIONS {
        let mut host = Host::new(ROOMY);
        let side = host.ims_in(4, false, organisation);
        let token = host.start(&side, &Request::new(host.host).affinity(cpu(0)));
        let mut other = host.control.raiser();
        // 0: not yet inside, 1: inside, 2: about to leave.
        let stage = AtomicU32::new(0);
        std::thread::scope(|scope| {
            let stage = &stage;
            scope.spawn(move || {
                let flight = other.enter();
                stage.store(1, Ordering::SeqCst);
                std::thread::sleep(std::time::Duration::from_millis(10));
                stage.store(2, Ordering::SeqCst);
                drop(flight);
            });
            while stage.load(Ordering::SeqCst) == 0 {
                std::thread::yield_now();
            }
            host.control.set_affinity(token, &cpu(1)).unwrap();
            assert_eq!(stage.load(Ordering::SeqCst), 2);
        });
    }
}
