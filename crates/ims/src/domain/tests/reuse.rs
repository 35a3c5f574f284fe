// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Nothing is given to anyone else before it is quiet (law 4), and what was freed
//! stays freed.

use super::host::{Host, ORGANISATIONS, ROOMY, Side, Size};
use crate::domain::*;
use crate::sink::{Acceptance, Refusal};
use crate::vector::CpuId;
use std::sync::atomic::Ordering;

/// One vector on one CPU: whoever gets another gets the same.
const SINGLE: Size = Size {
    cpus: 1,
    vectors: 1,
    entries: 8,
};

fn free(host: &mut Host, token: Interrupt) -> bool {
    host.control.free(token).unwrap().dropped
}

#[test]
fn a_given_index_is_taken_again_once_the_old_vector_is_quiet_and_not_before() {
    for organisation in ORGANISATIONS {
        for remapped in [true, false] {
            let mut host = Host::new(ROOMY);
            let side = host.ims_in(64, remapped, organisation);
            let request = Request::new(host.host).at(37);
            let token = host.start(&side, &request);
            assert_eq!(
                host.control.alloc(side.id, &request),
                Err(DomainError::IndexTaken { index: 37 })
            );
            assert_eq!(host.raise(&side, 37), Raised::Sent(Acceptance::Fresh));
            assert!(!free(&mut host, token));
            host.control.settle();
            // Its interrupt is still pending at its CPU.
            assert_eq!(
                host.control.alloc(side.id, &request),
                Err(DomainError::IndexTaken { index: 37 })
            );
            assert_eq!(host.control.take_released(), []);
            assert_eq!(host.harvest_all(), [token.virq()]);
            assert_eq!(host.control.settle(), 0);
            assert_eq!(host.control.take_released(), [token.virq()]);
            let again = host.control.alloc(side.id, &request).unwrap();
            assert_eq!(host.index(again), 37);
            assert_ne!(again, token);
        }
    }
}

#[test]
fn a_vector_is_not_handed_out_while_its_old_bit_is_pending() {
    let mut host = Host::new(SINGLE);
    for space in [host.host, host.guest] {
        let side = host.ims(8);
        let request = Request::new(space);
        let first = host.start(&side, &request);
        let index = host.index(first);
        assert_eq!(host.raise(&side, index), Raised::Sent(Acceptance::Fresh));
        free(&mut host, first);
        let second = host.control.alloc(side.id, &request).unwrap();
        assert_eq!(host.control.activate(second).unwrap_err().errno(), 28);
        assert_eq!(host.harvest(space, 0), [(0x20, Some(first.virq()))]);
        // Now it settles by itself.
        assert!(host.control.activate(second).is_ok());
        assert_eq!(host.target(second), (CpuId(0), 0x20));
        free(&mut host, second);
        host.quiesce();
        host.assert_empty();
    }
}

#[test]
fn a_vector_is_not_handed_out_while_a_handler_of_it_runs() {
    let mut host = Host::new(SINGLE);
    let side = host.ims(8);
    let request = Request::new(host.host);
    let first = host.start(&side, &request);
    assert_eq!(host.raise(&side, 0), Raised::Sent(Acceptance::Fresh));
    free(&mut host, first);
    host.machine.host[0].cycle.fetch_add(1, Ordering::Relaxed);
    assert_eq!(host.harvest(host.host, 0).len(), 1);
    assert_eq!(host.control.settle(), 1);
    let second = host.control.alloc(side.id, &request).unwrap();
    assert!(host.control.activate(second).is_err());
    host.machine.host[0].cycle.fetch_add(1, Ordering::Relaxed);
    assert!(host.control.activate(second).is_ok());
}

#[test]
fn nothing_is_handed_out_while_a_flight_that_began_before_is_open() {
    for remapped in [true, false] {
        let mut host = Host::new(SINGLE);
        let side = host.ims_in(1, remapped, super::host::Organisation::Table);
        let request = Request::new(host.host);
        let first = host.start(&side, &request);
        let mut other = host.control.raiser();
        let flight = other.enter();
        free(&mut host, first);
        assert_eq!(host.control.settle(), 1);
        assert_eq!(
            host.control.alloc(side.id, &request.clone().at(0)),
            Err(DomainError::IndexTaken { index: 0 })
        );
        assert_eq!(host.control.matrix(host.host).unwrap().total_allocated(), 1);
        // Whoever is inside may still have read the slot: its message goes through.
        let handles = u32::from(remapped);
        assert_eq!(host.control.unit(host.unit).unwrap().allocated(), handles);
        drop(flight);
        let second = host.control.alloc(side.id, &request.at(0)).unwrap();
        host.control.activate(second).unwrap();
        assert_eq!(host.target(second), (CpuId(0), 0x20));
    }
}

#[test]
fn a_freed_entry_stays_present_for_those_inside_and_is_a_fault_for_those_after() {
    let mut host = Host::new(ROOMY);
    let side = host.ims(4);
    let request = Request::new(host.host);
    let token = host.start(&side, &request);
    let handle = host.control.location(token).unwrap().handle.unwrap();
    let message = crate::message::Remappable {
        handle,
        subhandle: None,
    }
    .encode();
    let mut other = host.control.raiser();
    let flight = other.enter();
    free(&mut host, token);
    host.control.settle();
    let requester = crate::message::RequesterId(0x0100);
    let send = |host: &Host| crate::sink::MessageSink::send(&host.remapped, requester, message);
    assert_eq!(
        send(&host),
        crate::sink::Answer::Accepted(Acceptance::Fresh)
    );
    drop(flight);
    assert_eq!(host.control.settle(), 1);
    let blocked = Refusal::Fault(crate::remap::FaultReason::NotPresent);
    assert_eq!(send(&host), crate::sink::Answer::Refused(blocked));
    assert_eq!(host.quiesce(), [token.virq()]);
    host.assert_empty();
}

/// Every operation on a token that is gone is refused and touches nothing.
pub(super) fn assert_stale(host: &mut Host, sides: &[&Side], slots: u32, token: Interrupt) {
    let before = host.snapshot(sides, slots, &[]);
    let any = Affinity::Any;
    let control = &mut host.control;
    let stale = Err(DomainError::Stale { what: "interrupt" });
    assert_eq!(control.activate(token).map(|_| ()), stale);
    assert_eq!(control.mask(token), stale);
    assert_eq!(control.unmask(token), stale);
    assert_eq!(control.set_affinity(token, &any).map(|_| ()), stale);
    assert_eq!(control.location(token).map(|_| ()), stale);
    assert_eq!(control.free(token).map(|_| ()), stale);
    assert_eq!(host.snapshot(sides, slots, &[]), before);
}

#[test]
fn a_stale_token_is_an_error_for_everything_even_when_its_number_lives_again() {
    let mut host = Host::new(ROOMY);
    let side = host.ims(4);
    let request = Request::new(host.host);
    let first = host.start(&side, &request);
    free(&mut host, first);
    assert_stale(&mut host, &[&side], 4, first);
    host.quiesce();
    assert_stale(&mut host, &[&side], 4, first);
    let second = host.start(&side, &request);
    assert_eq!(second.virq(), first.virq());
    assert_stale(&mut host, &[&side], 4, first);
    assert_eq!(host.raise(&side, 0), Raised::Sent(Acceptance::Fresh));
    assert_eq!(host.harvest_all(), [second.virq()]);
}

#[test]
fn a_failed_allocation_does_not_report_its_number_as_released() {
    let mut host = Host::new(ROOMY);
    let device = host.device(1);
    let cookies = crate::store::CookieUse::Pasid;
    let table = super::host::Organisation::Table;
    let side = host
        .domain(device, (Kind::Ims, 4), true, table, cookies)
        .unwrap();
    let request = Request::new(host.host);
    let bad = request.clone().cookie(crate::store::Cookie(1 << 20));
    assert!(host.control.alloc(side.id, &bad).is_err());
    let _live = host.control.alloc(side.id, &request).unwrap();
    assert_eq!(host.control.take_released(), []);
}

#[test]
fn freeing_while_pending_says_dropped_and_counts_it() {
    for organisation in ORGANISATIONS {
        let mut host = Host::new(ROOMY);
        let side = host.ims_in(4, true, organisation);
        let request = Request::new(host.guest);
        let token = host.start(&side, &request);
        host.control.mask(token).unwrap();
        assert_eq!(host.raise(&side, 0), Raised::Held);
        assert_eq!(host.raise(&side, 0), Raised::Met);
        assert!(free(&mut host, token));
        assert_eq!(host.raise(&side, 0), Raised::Refused(Refusal::NotAllocated));
        assert_eq!(side.port.strays(), 1);
        assert_eq!(host.quiesce(), []);
        let expected = Counts {
            raised: 2,
            coalesced: 1,
            held: 1,
            dropped: 1,
            ..Counts::default()
        };
        assert_eq!(host.control.past_counts(side.id), Some(expected));
        host.assert_empty();
    }
}

#[test]
fn a_full_remap_table_gives_out_handles_again_once_they_are_quiet() {
    let size = Size {
        entries: 2,
        ..ROOMY
    };
    let mut host = Host::new(size);
    let side = host.ims(8);
    let request = Request::new(host.host);
    let tokens = [0, 1].map(|_| host.start(&side, &request));
    let third = host.control.alloc(side.id, &request).unwrap();
    assert_eq!(host.control.activate(third).unwrap_err().errno(), 28);
    free(&mut host, tokens[0]);
    assert!(host.control.activate(third).is_ok());
}
