// SPDX-License-Identifier: Apache-2.0 OR MIT
//! CPUs that go and come back, and the interrupts that were theirs.

use super::host::{Host, ORGANISATIONS, ROOMY, Size};
use crate::domain::*;
use crate::sink::Acceptance;
use crate::vector::{CpuId, CpuSet, MatrixError};

fn managed(space: SpaceId, cpus: core::ops::Range<u32>) -> Request {
    Request::new(space).affinity(Affinity::Managed(CpuSet::from(cpus)))
}

fn on(space: SpaceId, cpu: u32) -> Request {
    Request::new(space).affinity(Affinity::Cpu(CpuId(cpu)))
}

#[test]
fn a_managed_interrupt_is_shut_down_with_its_last_cpu_and_delivered_once_when_it_returns() {
    for organisation in ORGANISATIONS {
        for remapped in [true, false] {
            let mut host = Host::new(ROOMY);
            let side = host.ims_in(4, remapped, organisation);
            let token = host.start(&side, &managed(host.host, 0..2));
            let first = host.target(token).0;
            let other = CpuId(1 - first.0);
            let gone = host.control.cpu_offline(host.host, first).unwrap();
            assert_eq!(
                gone,
                Evacuated {
                    moved: 1,
                    shut_down: 0
                }
            );
            assert_eq!(host.target(token).0, other);
            let gone = host.control.cpu_offline(host.host, other).unwrap();
            assert_eq!(
                gone,
                Evacuated {
                    moved: 0,
                    shut_down: 1
                }
            );
            assert_eq!(host.control.location(token).unwrap().target, None);
            assert_eq!(host.raise(&side, 0), Raised::Held);
            assert_eq!(host.raise(&side, 0), Raised::Met);
            // Another CPU does not help.
            host.control.cpu_offline(host.host, CpuId(3)).unwrap();
            assert_eq!(host.control.cpu_online(host.host, CpuId(3)), Ok(0));
            assert_eq!(host.harvest_all(), []);
            assert_eq!(host.control.cpu_online(host.host, first), Ok(1));
            assert_eq!(host.target(token).0, first);
            assert_eq!(host.harvest_all(), [token.virq()]);
            assert_eq!(host.raise(&side, 0), Raised::Sent(Acceptance::Fresh));
            let _ = host.control.free(token).unwrap();
            assert_eq!(host.quiesce(), [token.virq()]);
            host.control.cpu_online(host.host, other).unwrap();
            host.assert_empty();
        }
    }
}

#[test]
fn masked_by_its_owner_it_stays_masked_through_shutdown_and_restart() {
    for organisation in ORGANISATIONS {
        let mut host = Host::new(ROOMY);
        let side = host.ims_in(4, true, organisation);
        let token = host.start(&side, &managed(host.guest, 1..2));
        host.control.mask(token).unwrap();
        host.control.cpu_offline(host.guest, CpuId(1)).unwrap();
        assert_eq!(host.raise(&side, 0), Raised::Held);
        assert_eq!(host.control.cpu_online(host.guest, CpuId(1)), Ok(1));
        assert_eq!(host.harvest_all(), []);
        assert_eq!(host.raise(&side, 0), Raised::Met);
        host.control.unmask(token).unwrap();
        assert_eq!(host.harvest_all(), [token.virq()]);
        // Masked and unmasked while it is shut down: it runs when it restarts.
        host.control.cpu_offline(host.guest, CpuId(1)).unwrap();
        host.control.mask(token).unwrap();
        assert_eq!(host.raise(&side, 0), Raised::Held);
        host.control.unmask(token).unwrap();
        assert_eq!(host.harvest_all(), []);
        host.control.cpu_online(host.guest, CpuId(1)).unwrap();
        assert_eq!(host.harvest_all(), [token.virq()]);
    }
}

#[test]
fn a_managed_interrupt_activated_without_a_cpu_starts_when_one_comes() {
    let mut host = Host::new(ROOMY);
    let side = host.ims(4);
    host.control.cpu_offline(host.host, CpuId(2)).unwrap();
    let token = host
        .control
        .alloc(side.id, &managed(host.host, 2..3))
        .unwrap();
    assert_eq!(host.control.activate(token), Ok(Activated::ShutDown));
    assert_eq!(host.control.activate(token), Err(DomainError::Active));
    assert_eq!(host.raise(&side, 0), Raised::Held);
    assert_eq!(host.control.cpu_online(host.host, CpuId(2)), Ok(1));
    assert_eq!(host.harvest_all(), [token.virq()]);
}

#[test]
fn one_that_finds_its_own_old_vector_not_quiet_starts_when_that_settles() {
    let mut host = Host::new(ROOMY);
    let side = host.ims(4);
    let token = host.start(&side, &managed(host.host, 1..2));
    assert_eq!(host.raise(&side, 0), Raised::Sent(Acceptance::Fresh));
    host.control.cpu_offline(host.host, CpuId(1)).unwrap();
    assert_eq!(host.raise(&side, 0), Raised::Held);
    assert_eq!(host.control.cpu_online(host.host, CpuId(1)), Ok(0));
    assert!(host.control.matrix(host.host).unwrap().is_online(CpuId(1)));
    assert_eq!(host.harvest_all(), [token.virq()]);
    assert_eq!(host.control.settle(), 0);
    assert_eq!(host.harvest_all(), [token.virq()]);
    assert_eq!(host.target(token).0, CpuId(1));
}

#[test]
fn freed_while_shut_down_it_does_not_come_back() {
    let mut host = Host::new(ROOMY);
    let side = host.ims(4);
    let token = host.start(&side, &managed(host.host, 1..2));
    host.control.cpu_offline(host.host, CpuId(1)).unwrap();
    assert_eq!(host.raise(&side, 0), Raised::Held);
    assert!(host.control.free(token).unwrap().dropped);
    assert_eq!(host.control.cpu_online(host.host, CpuId(1)), Ok(0));
    assert_eq!(host.quiesce(), []);
    host.assert_empty();
}

#[test]
fn an_unmanaged_interrupt_moves_when_its_cpu_goes() {
    let mut host = Host::new(ROOMY);
    for remapped in [true, false] {
        let side = host.ims_in(4, remapped, super::host::Organisation::Table);
        let token = host.start(&side, &on(host.host, 0));
        assert_eq!(host.raise(&side, 0), Raised::Sent(Acceptance::Fresh));
        let gone = host.control.cpu_offline(host.host, CpuId(0)).unwrap();
        assert_eq!(
            gone,
            Evacuated {
                moved: 1,
                shut_down: 0
            }
        );
        assert_ne!(host.target(token).0, CpuId(0));
        assert_eq!(host.raise(&side, 0), Raised::Sent(Acceptance::Fresh));
        // The CPU that goes still takes what was on its way to it.
        assert_eq!(host.harvest_all(), [token.virq(), token.virq()]);
        host.control.cpu_online(host.host, CpuId(0)).unwrap();
        let _ = host.control.free(token).unwrap();
        host.quiesce();
        host.assert_empty();
    }
}

#[test]
fn a_cpu_of_which_interrupts_still_move_does_not_go() {
    let mut host = Host::new(ROOMY);
    let side = host.ims(4);
    let token = host.start(&side, &on(host.host, 0));
    assert_eq!(host.raise(&side, 0), Raised::Sent(Acceptance::Fresh));
    host.control
        .set_affinity(token, &Affinity::Cpu(CpuId(1)))
        .unwrap();
    let before = host.snapshot(&[&side], 4, &[token]);
    assert_eq!(
        host.control.cpu_offline(host.host, CpuId(1)),
        Err(DomainError::Moving)
    );
    assert_eq!(host.snapshot(&[&side], 4, &[token]), before);
    host.harvest_all();
    assert!(host.control.cpu_offline(host.host, CpuId(1)).is_ok());
}

#[test]
fn a_cpu_stays_while_the_others_have_no_room() {
    let mut host = Host::new(Size {
        cpus: 2,
        vectors: 3,
        entries: 64,
    });
    let side = host.ims(8);
    let tokens: Vec<_> = (0..4)
        .map(|_| host.start(&side, &Request::new(host.guest)))
        .collect();
    let before = host.snapshot(&[&side], 8, &tokens);
    let refused = host.control.cpu_offline(host.guest, CpuId(0)).unwrap_err();
    assert!(matches!(
        refused,
        DomainError::Vector(MatrixError::CannotOffline { .. })
    ));
    assert_eq!(refused.errno(), 28);
    assert_eq!(host.snapshot(&[&side], 8, &tokens), before);
    let last = tokens[3];
    let _ = host.control.free(last).unwrap();
    assert!(host.control.cpu_offline(host.guest, CpuId(0)).is_ok());
    assert!(
        tokens[..3]
            .iter()
            .all(|&token| host.target(token).0 == CpuId(1))
    );
}

#[test]
fn a_managed_one_that_was_shut_down_before_an_offline_failed_starts_again() {
    let mut host = Host::new(ROOMY);
    let side = host.ims(4);
    let kept = host.start(&side, &managed(host.host, 0..1));
    let other = host.start(&side, &on(host.host, 0));
    // Everywhere else is out of reach: the second interrupt cannot move.
    host.machine
        .unreachable
        .store(0b1110, std::sync::atomic::Ordering::Relaxed);
    assert!(matches!(
        host.control.cpu_offline(host.host, CpuId(0)),
        Err(DomainError::Unreachable { .. })
    ));
    host.quiesce();
    assert_eq!(host.target(kept).0, CpuId(0));
    assert_eq!(host.target(other).0, CpuId(0));
    assert_eq!(host.raise(&side, 0), Raised::Sent(Acceptance::Fresh));
    assert_eq!(host.quiesce(), [kept.virq()]);
}

#[test]
fn an_interrupt_whose_cpu_went_before_its_activation_starts_elsewhere() {
    let mut host = Host::new(ROOMY);
    let side = host.ims(4);
    let token = host.control.alloc(side.id, &on(host.host, 2)).unwrap();
    assert_eq!(host.target(token).0, CpuId(2));
    host.control.cpu_offline(host.host, CpuId(2)).unwrap();
    host.control.activate(token).unwrap();
    assert_ne!(host.target(token).0, CpuId(2));
    assert_eq!(
        host.control.matrix(host.host).unwrap().allocated(CpuId(2)),
        0
    );
    assert_eq!(host.raise(&side, 0), Raised::Sent(Acceptance::Fresh));
    assert_eq!(host.harvest_all(), [token.virq()]);
}
