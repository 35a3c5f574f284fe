// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Masks of IMS-backed vectors, mirrored to the host's slots.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    unreachable_pub,
    dead_code,
    reason = "a test"
)]

mod irqs_common;

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ims::domain::{Kind as DomainKind, Raised, Request};
use ims::message::RequesterId;
use ims::store::table::Table;
use ims::store::{CookieUse, Pasid};
use ims_host::{Device, Domain, Form, Host};
use ims_vfio::irqs::{HostBacking, Irqs, Lines, Payload, SetIrqs, VectorError};
use irqs_common::world::{drain, pair};

const LIMIT: Duration = Duration::from_secs(20);

struct Bench {
    host: Host,
    domain: Domain<Table>,
    irqs: Irqs,
    _device: Device,
}

fn pasid() -> Pasid {
    Pasid::new(7).unwrap()
}

fn bench() -> Bench {
    let host = Host::new();
    let unit = host.add_unit(256, 4).unwrap();
    let space = host.add_space(2, Form::Apic).unwrap();
    let device = host.add_device(RequesterId(0x0300));
    let store = Table::new(64, CookieUse::Pasid);
    let domain = device.add_domain(DomainKind::Ims, 0, &unit, store).unwrap();
    let request = Request::new(space.id).cookie(pasid());
    let backing = HostBacking::new(domain.clone(), request);
    let irqs = Irqs::new(Lines::msix(4), Some(Arc::new(backing))).unwrap();
    irqs.emulated(0..1).unwrap();
    Bench {
        irqs,
        host,
        domain,
        _device: device,
    }
}

impl Bench {
    fn raise(&self, vector: u32) -> Raised {
        let index = self.irqs.handle(vector).unwrap().index();
        let port = self.domain.port();
        self.host
            .fly(|flight| port.raise(flight, 0, index, Some(pasid())))
    }

    fn trigger(&self, vector: u32) -> OwnedFd {
        let (fd, client) = pair();
        let header = SetIrqs {
            argsz: 20,
            flags: 0x24,
            index: 2,
            start: vector,
            count: 1,
        };
        let payload = Payload::Triggers(vec![Some(fd)]);
        self.irqs.set(header, payload).unwrap();
        client
    }

    fn quiet(&self) {
        self.host.quiesce(LIMIT).unwrap();
        // Quiesce waits for what moves; a handler that runs is seen by the counts.
        let begun = Instant::now();
        while !self.adds_up() {
            assert!(begun.elapsed() < LIMIT, "{:?}", self.irqs.report(1));
            thread::yield_now();
        }
    }

    fn adds_up(&self) -> bool {
        let report = self.irqs.report(1).unwrap();
        report.pending || report.slot.is_none_or(|slot| slot.counts.add_up())
    }
}

/// Waits for the signal (a CPU counts an interrupt before its handler gives that).
fn one(client: &OwnedFd) {
    let (begun, mut seen) = (Instant::now(), 0);
    while seen == 0 {
        assert!(begun.elapsed() < LIMIT, "no signal");
        seen = drain(client);
        thread::yield_now();
    }
    assert_eq!((seen, drain(client)), (1, 0));
}

#[test]
fn a_masked_vector_keeps_one_interrupt_in_its_slot_and_gives_it_when_it_is_unmasked() {
    let bench = bench();
    let client = bench.trigger(1);
    bench.irqs.set_masked(1, true).unwrap();
    assert_eq!(bench.raise(1), Raised::Held);
    assert_eq!(bench.raise(1), Raised::Met);
    assert!(bench.irqs.is_pending(1).unwrap());
    assert_eq!(drain(&client), 0);
    bench.irqs.set_masked(1, false).unwrap();
    bench.quiet();
    one(&client);
    assert!(!bench.irqs.is_pending(1).unwrap());
    let slot = bench.irqs.report(1).unwrap().slot.unwrap();
    assert_eq!((slot.counts.raiser.raised, slot.counts.taken), (2, 1));
    assert!(slot.target.is_some());
}

#[test]
fn the_mask_outlives_the_slot_and_the_trigger_and_what_it_keeps_outlives_the_slot() {
    let bench = bench();
    bench.irqs.set_masked(1, true).unwrap();
    let client = bench.trigger(1);
    assert_eq!(bench.raise(1), Raised::Held, "masked before it had a slot");
    assert!(bench.irqs.revoke(1));
    assert_eq!(drain(&client), 0);
    assert!(bench.irqs.is_pending(1).unwrap(), "kept without a slot");
    assert_eq!(bench.raise(1), Raised::Held, "the new slot is masked, too");
    bench.irqs.reset();
    let client = bench.trigger(1);
    assert!(!bench.irqs.is_pending(1).unwrap(), "its trigger was lost");
    assert_eq!(bench.raise(1), Raised::Held, "masked yet");
    bench.irqs.set_masked(1, false).unwrap();
    bench.quiet();
    one(&client);
}

#[test]
fn what_was_kept_without_a_slot_is_signalled_once_at_the_unmask() {
    let bench = bench();
    let client = bench.trigger(1);
    bench.irqs.set_masked(1, true).unwrap();
    let _ = bench.raise(1);
    bench.irqs.revoke(1);
    bench.irqs.set_masked(1, false).unwrap();
    assert_eq!(drain(&client), 1);
    bench.irqs.set_masked(1, false).unwrap();
    assert_eq!(drain(&client), 0);
}

#[test]
fn only_a_backed_vector_has_a_slot_to_mask() {
    let irqs = bench().irqs;
    let emulated = VectorError::NotBacked { vector: 0 };
    assert_eq!(
        irqs.set_masked(0, true).unwrap_err().to_string(),
        emulated.to_string()
    );
    assert!(irqs.set_masked(4, true).is_err());
    assert!(!irqs.report(3).unwrap().triggered);
}

#[test]
fn no_interrupt_is_lost_between_a_mask_an_unmask_and_a_revocation() {
    let bench = bench();
    let client = bench.trigger(1);
    let (stop, seen) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut round = 0u32;
            while !stop.load(Ordering::Relaxed) {
                bench.irqs.set_masked(1, !round.is_multiple_of(3)).unwrap();
                if round.is_multiple_of(7) {
                    bench.irqs.revoke(1);
                }
                round += 1;
                thread::yield_now();
            }
            bench.irqs.set_masked(1, false).unwrap();
        });
        for number in 0..500u64 {
            let before = seen.load(Ordering::Relaxed);
            let begun = Instant::now();
            // Held, met or sent: one of them must reach the trigger.
            loop {
                let handle = match bench.irqs.handle(1) {
                    Ok(handle) => handle,
                    Err(VectorError::Backing { .. }) => {
                        bench.host.settle();
                        continue;
                    }
                    Err(error) => panic!("{error}"),
                };
                let port = bench.domain.port();
                let raised = bench
                    .host
                    .fly(|flight| port.raise(flight, 0, handle.index(), Some(pasid())));
                if !matches!(raised, Raised::Refused(_) | Raised::Dropped) {
                    break;
                }
            }
            while seen.load(Ordering::Relaxed) == before {
                assert!(begun.elapsed() < LIMIT, "interrupt {number} was lost");
                seen.fetch_add(drain(&client), Ordering::Relaxed);
                thread::yield_now();
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
}
