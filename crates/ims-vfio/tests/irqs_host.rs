// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Vectors over a real domain: table, remap unit, soft CPUs.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
#![allow(
    clippy::cast_possible_truncation,
    clippy::expect_used,
    unreachable_pub,
    dead_code,
    reason = "tests"
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
use ims::store::{Cookie, CookieUse, Pasid};
use ims_host::{Device, Domain, Form, Host};
use ims_vfio::irqs::{HostBacking, Irqs, Kind, Lines, Payload, SetIrqs, Signalled, VectorError};
use irqs_common::world::{drain, make, pair};
use rustix::io::Errno;

const LIMIT: Duration = Duration::from_secs(20);
const MSIX: u32 = 2;

struct Bench {
    host: Host,
    domain: Domain<Table>,
    irqs: Irqs,
    _device: Device,
}

fn pasid(number: u32) -> Pasid {
    Pasid::new(number).unwrap()
}

fn bench(vectors: u32, slots: u32) -> Bench {
    let host = Host::new();
    let unit = host.add_unit(1024, 4).unwrap();
    let space = host.add_space(2, Form::Posted).unwrap();
    let device = host.add_device(RequesterId(0x0300));
    let store = Table::new(slots, CookieUse::Pasid);
    let domain = device.add_domain(DomainKind::Ims, 0, &unit, store).unwrap();
    let request = Request::new(space.id).cookie(pasid(7));
    let backing = HostBacking::new(domain.clone(), request);
    let lines = Lines {
        msix: vectors,
        ..Lines::default()
    };
    Bench {
        irqs: Irqs::new(lines, Some(Arc::new(backing))).unwrap(),
        host,
        domain,
        _device: device,
    }
}

impl Bench {
    fn raise(&self, index: u32) -> Raised {
        let port = self.domain.port();
        self.host
            .fly(|flight| port.raise(flight, 0, index, Some(pasid(7))))
    }

    fn set(&self, vector: u32, fd: Option<OwnedFd>) {
        set(&self.irqs, vector, fd);
    }

    /// A new trigger; the client's end.
    fn replace(&self, vector: u32) -> OwnedFd {
        let (fd, client) = pair();
        self.set(vector, Some(fd));
        client
    }
}

fn set(irqs: &Irqs, vector: u32, fd: Option<OwnedFd>) {
    irqs.set(header(0x24, vector, 1), Payload::Triggers(vec![fd]))
        .unwrap();
}

fn header(flags: u32, start: u32, count: u32) -> SetIrqs {
    SetIrqs {
        argsz: 20,
        flags,
        index: MSIX,
        start,
        count,
    }
}

fn wait(what: &str, done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < LIMIT, "{what} did not happen");
        thread::yield_now();
    }
}

/// Waits for one signal, and that it is one.
fn one(client: &OwnedFd) {
    let count = AtomicU64::new(0);
    wait("the signal", || {
        count.fetch_add(drain(client), Ordering::Relaxed) + count.load(Ordering::Relaxed) > 0
    });
    assert_eq!(count.into_inner(), 1);
}

#[test]
fn a_client_enables_grows_replaces_and_disables_as_qemu_does() {
    let bench = bench(8, 8);
    bench.irqs.emulated(0..1).unwrap();
    // Enabling: one vector without a trigger.
    bench.set(0, None);
    let config = bench.replace(0);
    let queues: Vec<_> = (1..4).map(|vector| bench.replace(vector)).collect();
    assert_eq!(bench.irqs.trigger(MSIX, 0), Ok(Signalled::Now));
    one(&config);
    for (vector, queue) in (1..).zip(&queues) {
        assert!(matches!(
            bench.raise(bench.irqs.ims_index(vector).unwrap()),
            Raised::Sent(_)
        ));
        one(queue);
    }
    // A new eventfd at each unmask and change of affinity.
    let before = (bench.irqs.handle(1).unwrap(), bench.irqs.generation());
    let again = bench.replace(1);
    assert_eq!(
        (bench.irqs.handle(1).unwrap(), bench.irqs.generation()),
        before
    );
    let _ = bench.raise(before.0.index());
    one(&again);
    assert_eq!(drain(&queues[0]), 0);
    // Later a vector more, then one less, then none.
    let late = bench.replace(7);
    let _ = bench.raise(bench.irqs.ims_index(7).unwrap());
    one(&late);
    bench.set(1, None);
    assert_eq!(bench.irqs.resolve(before.0), None);
    let disable = header(0x21, 0, 0);
    bench.irqs.set(disable, Payload::None).unwrap();
    for vector in 0..8 {
        assert!(!bench.irqs.has_trigger(vector));
    }
    bench.irqs.set(disable, Payload::None).unwrap();
}

#[test]
fn a_cookie_counts_from_the_next_allocation_and_admits_its_owner_alone() {
    let bench = bench(2, 4);
    let client = bench.replace(0);
    bench.irqs.set_cookie(0, Some(pasid(9).into())).unwrap();
    let _ = bench.raise(bench.irqs.ims_index(0).unwrap());
    one(&client);
    bench.set(0, None);
    let client = bench.replace(0);
    let index = bench.irqs.ims_index(0).unwrap();
    assert!(matches!(bench.raise(index), Raised::Refused(_)));
    let port = bench.domain.port();
    let _ = bench
        .host
        .fly(|flight| port.raise(flight, 0, index, Some(pasid(9))));
    one(&client);
    // A cookie the store cannot read is the client's error, and leaves nothing.
    bench.irqs.set_cookie(0, Some(Cookie(u64::MAX))).unwrap();
    bench.set(0, None);
    let (fd, _client) = pair();
    let refused = bench
        .irqs
        .set(header(0x24, 0, 1), Payload::Triggers(vec![Some(fd)]));
    assert_eq!(refused.unwrap_err().errno(), Errno::INVAL);
    assert!(!bench.irqs.has_trigger(0));
}

#[test]
fn a_host_without_room_says_so_and_what_was_there_before_stays() {
    let bench = bench(4, 2);
    let first = bench.replace(0);
    let fds = (0..3).map(|_| Some(pair().0)).collect();
    let refused = bench
        .irqs
        .set(header(0x24, 1, 3), Payload::Triggers(fds))
        .unwrap_err();
    assert_eq!(refused.errno(), Errno::NOSPC);
    assert!((1..4).all(|vector| !bench.irqs.has_trigger(vector)));
    let _ = bench.raise(bench.irqs.ims_index(0).unwrap());
    one(&first);
    bench.host.quiesce(LIMIT).unwrap();
    bench.replace(3);
}

#[test]
fn what_a_slot_keeps_pending_is_signalled_when_its_handle_is_revoked() {
    let bench = bench(1, 2);
    let client = bench.replace(0);
    let old = bench.irqs.handle(0).unwrap();
    bench.domain.port().mask(old.index());
    assert_eq!(bench.raise(old.index()), Raised::Held);
    assert!(bench.irqs.save().msix[0].owed, "a save sees it too");
    let generation = bench.irqs.generation();
    assert!(bench.irqs.revoke(0));
    assert_eq!(drain(&client), 1);
    assert!(bench.irqs.generation() > generation);
    assert_eq!(bench.irqs.resolve(old), None);
    assert!(matches!(
        bench.irqs.ims_index(0),
        Err(VectorError::NoTrigger { .. })
    ));
    // The trigger has stayed; a new handle finds it.
    let new = bench.irqs.handle(0).unwrap();
    assert_ne!(new, old);
    assert_eq!(bench.irqs.resolve(old), None);
    let _ = bench.raise(new.index());
    one(&client);
}

#[test]
fn a_revoked_handle_comes_back_with_another_index_however_quiet_the_old_one_is() {
    let bench = bench(2, 3);
    let clients = [bench.replace(0), bench.replace(1)];
    for round in 0..20 {
        for vector in [0, 1] {
            let old = bench.irqs.handle(vector).unwrap();
            assert!(bench.irqs.revoke(vector));
            bench.host.quiesce(LIMIT).unwrap();
            let new = bench.irqs.handle(vector).unwrap();
            assert_ne!(new.index(), old.index(), "round {round}");
            let _ = bench.raise(new.index());
            one(&clients[vector as usize]);
            // What was held for a moment is free again.
            bench.host.quiesce(LIMIT).unwrap();
            assert_eq!(bench.host.interrupts(), 2);
        }
    }
}

#[test]
fn a_revoked_handle_comes_back_with_the_old_index_if_there_is_no_other() {
    let bench = bench(1, 1);
    let client = bench.replace(0);
    let old = bench.irqs.handle(0).unwrap();
    assert!(bench.irqs.revoke(0));
    bench.host.quiesce(LIMIT).unwrap();
    let new = bench.irqs.handle(0).unwrap();
    assert_eq!((new == old, new.index()), (false, old.index()));
    let _ = bench.raise(new.index());
    one(&client);
}

#[test]
fn a_signal_that_the_device_gives_is_kept_while_the_vector_is_masked() {
    let bench = bench(1, 1);
    bench.irqs.signal(0).unwrap();
    let client = bench.replace(0);
    assert_eq!(drain(&client), 0, "there was no trigger");
    bench.irqs.signal(0).unwrap();
    assert_eq!(drain(&client), 1);
    bench.irqs.set_masked(0, true).unwrap();
    bench.irqs.signal(0).unwrap();
    assert_eq!(drain(&client), 0);
    assert!(bench.irqs.is_pending(0).unwrap());
    bench.irqs.set_masked(0, false).unwrap();
    assert_eq!(drain(&client), 1);
    assert!(bench.irqs.signal(1).is_err());
}

#[test]
fn an_interrupt_saved_on_one_host_is_signalled_on_the_other_when_its_trigger_comes() {
    let (from, to) = (bench(3, 4), bench(3, 4));
    for bench in [&from, &to] {
        bench.irqs.declare(2..3, Kind::Emulated).unwrap();
    }
    let _clients = [from.replace(0), from.replace(1), from.replace(2)];
    from.domain.port().mask(from.irqs.ims_index(1).unwrap());
    let _ = from.raise(from.irqs.ims_index(1).unwrap());
    to.irqs.restore(&from.irqs.save()).unwrap();
    assert_eq!(to.irqs.trigger(MSIX, 2), Ok(Signalled::Later));
    assert_eq!(to.irqs.trigger(MSIX, 2), Ok(Signalled::Later));
    let clients = [to.replace(0), to.replace(1), to.replace(2)];
    assert_eq!(clients.each_ref().map(drain), [0, 1, 1]);
}

#[test]
fn interrupts_that_are_dropped_with_their_device_leave_nothing_behind() {
    let bench = bench(4, 4);
    for _ in 0..200 {
        for vector in 0..4 {
            bench.replace(vector);
        }
        bench.irqs.reset();
        bench.host.quiesce(LIMIT).unwrap();
    }
    for vector in 0..4 {
        bench.replace(vector);
    }
    let Bench { irqs, _device, .. } = bench;
    drop(_device);
    drop(irqs);
}

#[test]
fn a_handler_that_comes_late_signals_no_later_client() {
    let lines = Lines {
        msix: 1,
        ..Lines::default()
    };
    let (irqs, fake) = make(lines, Some(2));
    let (fd, first) = pair();
    set(&irqs, 0, Some(fd));
    let late = fake.given.lock().unwrap()[&0].signal.clone();
    assert!(late.give());
    irqs.revoke(0);
    assert!(late.give(), "the trigger outlives the handle");
    assert_eq!(drain(&first), 2);
    set(&irqs, 0, None);
    let (fd, second) = pair();
    set(&irqs, 0, Some(fd));
    assert!(!late.give());
    assert_eq!((drain(&first), drain(&second)), (0, 0));
}

#[test]
fn no_raise_is_lost_while_triggers_are_replaced_and_the_slot_stays() {
    let bench = bench(1, 2);
    let mut client = bench.replace(0);
    let index = bench.irqs.ims_index(0).unwrap();
    let generation = bench.irqs.generation();
    // Paced: a raise is sent when the last one has been seen.
    let (raised, seen) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..2000 {
                let start = Instant::now();
                while seen.load(Ordering::Acquire) < round {
                    assert!(start.elapsed() < LIMIT, "raise {round} was lost");
                    thread::yield_now();
                }
                assert!(matches!(bench.raise(index), Raised::Sent(_)));
                raised.fetch_add(1, Ordering::Release);
            }
        });
        let start = Instant::now();
        while seen.load(Ordering::Acquire) < 2000 {
            assert!(start.elapsed() < 6 * LIMIT, "stuck");
            let old = std::mem::replace(&mut client, bench.replace(0));
            // Read once: nothing may come to it any more.
            seen.fetch_add(drain(&old), Ordering::Release);
            seen.fetch_add(drain(&client), Ordering::Release);
        }
    });
    // A raiser that got no CPU for 20 ms may have been signalled for, too.
    if !bench.irqs.has_stuck_raiser() {
        assert_eq!(seen.into_inner(), raised.into_inner());
    }
    assert_eq!(bench.irqs.ims_index(0).unwrap(), index);
    assert_eq!(bench.irqs.generation(), generation);
}

#[test]
fn no_raise_is_lost_while_handles_are_revoked() {
    let bench = bench(1, 8);
    let client = bench.replace(0);
    let seen = AtomicU64::new(0);
    thread::scope(|scope| {
        let device = scope.spawn(|| {
            for round in 0..1000 {
                // A driver whose handle is stale asks again.
                let start = Instant::now();
                loop {
                    assert!(start.elapsed() < LIMIT, "raise {round} found no handle");
                    match bench.irqs.handle(0) {
                        Ok(handle) => {
                            if matches!(bench.raise(handle.index()), Raised::Sent(_)) {
                                break;
                            }
                        }
                        // Freed slots are not quiet yet.
                        Err(VectorError::Backing { .. }) => {
                            bench.host.settle();
                        }
                        Err(error) => panic!("{error}"),
                    }
                    thread::yield_now();
                }
                while seen.load(Ordering::Acquire) <= round {
                    assert!(start.elapsed() < LIMIT, "raise {round} was lost");
                    seen.fetch_add(drain(&client), Ordering::Release);
                    thread::yield_now();
                }
            }
        });
        while !device.is_finished() {
            bench.irqs.revoke(0);
            thread::yield_now();
        }
    });
    assert_eq!(seen.into_inner(), 1000);
}

#[test]
fn a_trigger_that_was_taken_away_is_silent_from_then_on_whatever_is_raised() {
    let bench = bench(2, 64);
    bench.irqs.emulated(1..2).unwrap();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                if let Ok(index) = bench.irqs.ims_index(0) {
                    let _ = bench.raise(index);
                }
            }
        });
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let _ = bench.irqs.trigger(MSIX, 1);
            }
        });
        let mut any = 0;
        let mut gone = Vec::new();
        for _ in 0..300 {
            for vector in 0..2 {
                let client = bench.replace(vector);
                thread::sleep(Duration::from_micros(30));
                bench.set(vector, None);
                any += drain(&client);
                gone.push(client);
            }
            if gone.len() > 20 {
                let late = gone.drain(..).map(|old| drain(&old)).sum::<u64>();
                // A raiser that got no CPU for 20 ms is not waited for.
                assert!(
                    late == 0 || bench.irqs.has_stuck_raiser(),
                    "{late} came late"
                );
            }
            bench.host.settle();
        }
        stop.store(true, Ordering::Relaxed);
        assert!(any > 0, "nothing was ever raised");
    });
}
