// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The host as its users see it, with real threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ims::domain::{Affinity, DomainError, Kind, Raised, Request};
use ims::message::{Addressing, RequesterId};
use ims::store::table::Table;
use ims::store::{CookieUse, Pasid};
use ims::vector::{CpuId, CpuSet};

use crate::{Domain, Form, Host, HostError, Irq, Space, Taken};

const LIMIT: Duration = Duration::from_secs(20);

struct Bench {
    host: Host,
    space: Space,
    domain: Domain<Table>,
    _device: crate::Device,
}

fn bench(cpus: u32, form: Form) -> Bench {
    let host = Host::new();
    let unit = host.add_unit(4096, 4).unwrap();
    let space = host.add_space(cpus, form).unwrap();
    let device = host.add_device(RequesterId(0x0100));
    let store = Table::new(2048, CookieUse::Pasid);
    let domain = device.add_domain(Kind::Ims, 0, &unit, store).unwrap();
    Bench {
        host,
        space,
        domain,
        _device: device,
    }
}

impl Bench {
    fn request(&self) -> Request {
        Request::new(self.space.id).cookie(pasid())
    }

    fn raise(&self, irq: &Irq) -> Raised {
        self.host.fly(|flight| {
            self.domain
                .port()
                .raise(flight, 0, irq.index(), Some(pasid()))
        })
    }
}

fn pasid() -> Pasid {
    Pasid::new(7).unwrap()
}

fn wait(what: &str, done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < LIMIT, "{what} did not happen");
        std::thread::yield_now();
    }
}

fn counter() -> (Arc<AtomicU64>, impl Fn(Taken) + Send + Sync + 'static) {
    let count = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&count);
    (count, move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
    })
}

#[test]
fn an_interrupt_reaches_its_handler_on_its_cpu_whether_posted_or_remapped() {
    for form in [Form::Posted, Form::Apic] {
        let bench = bench(4, form);
        let seen = Arc::new(AtomicU64::new(u64::MAX));
        let saw = Arc::clone(&seen);
        let handler = move |taken: Taken| saw.store(taken.cpu.0.into(), Ordering::Relaxed);
        let request = bench.request().affinity(Affinity::Cpu(CpuId(2)));
        let irq = bench.domain.alloc(&request, handler).unwrap();
        assert!(matches!(bench.raise(&irq), Raised::Sent(_)));
        wait("the handler", || seen.load(Ordering::Relaxed) == 2);
    }
}

#[test]
fn a_masked_interrupt_is_taken_once_when_unmasked() {
    let bench = bench(1, Form::Posted);
    let (count, handler) = counter();
    let irq = bench.domain.alloc(&bench.request(), handler).unwrap();
    irq.mask().unwrap();
    assert_eq!(bench.raise(&irq), Raised::Held);
    assert_eq!(bench.raise(&irq), Raised::Met);
    assert_eq!(count.load(Ordering::Relaxed), 0);
    irq.unmask().unwrap();
    wait("the handler", || count.load(Ordering::Relaxed) == 1);
    wait("the sum", || bench.domain.counts(&irq).add_up());
}

#[test]
fn the_counters_add_up_after_raises_from_many_threads_during_moves_and_masks() {
    let bench = bench(4, Form::Posted);
    let irqs: Vec<_> = (0..8)
        .map(|_| {
            let (count, handler) = counter();
            (
                bench.domain.alloc(&bench.request(), handler).unwrap(),
                count,
            )
        })
        .collect();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for round in 0..2000 {
                    let _ = bench.raise(&irqs[round % irqs.len()].0);
                }
            });
        }
        for round in 0..400u32 {
            let (irq, _) = &irqs[round as usize % irqs.len()];
            match irq.set_affinity(&Affinity::Cpu(CpuId(round % 4))) {
                Ok(_) | Err(HostError::Domain(DomainError::Moving)) => {}
                Err(error) => panic!("{error}"),
            }
            irq.mask().unwrap();
            irq.unmask().unwrap();
        }
    });
    bench.host.quiesce(LIMIT).unwrap();
    for (irq, count) in &irqs {
        wait("the sum", || bench.domain.counts(irq).add_up());
        assert_eq!(
            bench.domain.counts(irq).taken,
            count.load(Ordering::Relaxed)
        );
    }
    let taken: u64 = bench
        .host
        .cpu_reports(bench.space)
        .iter()
        .map(|cpu| cpu.taken)
        .sum();
    assert_eq!(
        taken,
        irqs.iter()
            .map(|(_, count)| count.load(Ordering::Relaxed))
            .sum::<u64>()
    );
}

#[test]
fn freeing_says_what_it_dropped_and_dropping_frees() {
    let bench = bench(1, Form::Posted);
    let irq = bench.domain.alloc(&bench.request(), |_| {}).unwrap();
    irq.mask().unwrap();
    assert_eq!(bench.raise(&irq), Raised::Held);
    assert!(irq.free().unwrap().dropped);
    let irq = bench.domain.alloc(&bench.request(), |_| {}).unwrap();
    assert!(!irq.free().unwrap().dropped);
    drop(bench.domain.alloc(&bench.request(), |_| {}).unwrap());
    bench.host.quiesce(LIMIT).unwrap();
    assert!(bench.host.irq_reports(bench.space).is_empty());
    let past = bench.domain.past_counts();
    assert_eq!((past.raised, past.dropped), (1, 1));
}

#[test]
fn an_interrupt_posted_before_its_free_is_still_handled() {
    let bench = bench(1, Form::Posted);
    let (count, handler) = counter();
    let irq = bench.domain.alloc(&bench.request(), handler).unwrap();
    let _ = bench.raise(&irq);
    drop(irq);
    bench.host.quiesce(LIMIT).unwrap();
    assert_eq!(count.load(Ordering::Relaxed), 1);
    assert_eq!(bench.host.past_taken(), 1);
}

#[test]
fn a_managed_interrupt_sleeps_through_its_cpus_absence_and_loses_nothing() {
    let bench = bench(2, Form::Posted);
    let (count, handler) = counter();
    let only = Affinity::Managed(CpuSet::single(CpuId(1)));
    let irq = bench
        .domain
        .alloc(&bench.request().affinity(only), handler)
        .unwrap();
    let evacuated = bench.host.cpu_offline(bench.space.id, CpuId(1)).unwrap();
    assert_eq!((evacuated.moved, evacuated.shut_down), (0, 1));
    assert_eq!(bench.raise(&irq), Raised::Held);
    assert_eq!(bench.host.cpu_online(bench.space.id, CpuId(1)).unwrap(), 1);
    wait("the handler", || count.load(Ordering::Relaxed) == 1);
}

#[test]
fn a_cpu_that_goes_offline_leaves_its_interrupts_to_the_others() {
    let bench = bench(2, Form::Posted);
    let (count, handler) = counter();
    let request = bench.request().affinity(Affinity::Cpu(CpuId(0)));
    let irq = bench.domain.alloc(&request, handler).unwrap();
    assert_eq!(
        bench
            .host
            .cpu_offline(bench.space.id, CpuId(0))
            .unwrap()
            .moved,
        1
    );
    assert_eq!(irq.location().unwrap().target.unwrap().0, CpuId(1));
    let _ = bench.raise(&irq);
    wait("the handler", || count.load(Ordering::Relaxed) == 1);
}

#[test]
fn a_handler_that_panics_does_not_stop_its_cpu() {
    let bench = bench(1, Form::Posted);
    let bad = bench
        .domain
        .alloc(&bench.request(), |_| panic!("as the test wants"))
        .unwrap();
    let (count, handler) = counter();
    let good = bench.domain.alloc(&bench.request(), handler).unwrap();
    let _ = bench.raise(&bad);
    let _ = bench.raise(&good);
    wait("the other handler", || count.load(Ordering::Relaxed) == 1);
    wait("the count", || {
        bench.host.cpu_reports(bench.space)[0].panicked == 1
    });
}

#[test]
fn removing_a_device_frees_everything_it_had() {
    let Bench {
        host,
        space,
        domain,
        _device,
    } = bench(2, Form::Posted);
    let request = Request::new(space.id).cookie(pasid());
    let irqs: Vec<_> = (0..100)
        .map(|_| domain.alloc(&request, |_| {}).unwrap())
        .collect();
    drop(_device);
    host.quiesce(LIMIT).unwrap();
    assert!(host.irq_reports(space).is_empty());
    assert!(host.cpu_reports(space).iter().all(|cpu| cpu.vectors == 0));
    assert!(irqs[0].location().is_err());
}

#[test]
fn an_unmapped_domain_delivers_to_cpus_and_follows_a_move() {
    let host = Host::new();
    let space = host.add_space(2, Form::Apic).unwrap();
    let device = host.add_device(RequesterId(0x0100));
    let store = Table::new(16, CookieUse::Opaque);
    let domain = device
        .add_unmapped_domain(Kind::Ims, 0, Addressing::X2apic, store)
        .unwrap();
    let (count, handler) = counter();
    let request = Request::new(space.id).affinity(Affinity::Cpu(CpuId(0)));
    let irq = domain.alloc(&request, handler).unwrap();
    let _ = host.fly(|flight| domain.port().raise(flight, 0, irq.index(), None));
    wait("the handler", || count.load(Ordering::Relaxed) == 1);
    irq.set_affinity(&Affinity::Cpu(CpuId(1))).unwrap();
    let _ = host.fly(|flight| domain.port().raise(flight, 0, irq.index(), None));
    wait("the handler", || count.load(Ordering::Relaxed) == 2);
    assert_eq!(host.cpu_reports(space)[1].taken, 1);
}

#[test]
fn what_the_device_masks_itself_stays_masked_through_moves_and_hotplug() {
    let host = Host::new();
    let space = host.add_space(2, Form::Apic).unwrap();
    let device = host.add_device(RequesterId(0x0100));
    let store = Table::new(16, CookieUse::Opaque);
    let domain = device
        .add_unmapped_domain(Kind::Ims, 0, Addressing::X2apic, store)
        .unwrap();
    let raise = |irq: &Irq| host.fly(|flight| domain.port().raise(flight, 0, irq.index(), None));
    for affinity in [
        Affinity::Cpu(CpuId(0)),
        Affinity::Managed(CpuSet::single(CpuId(0))),
    ] {
        let (count, handler) = counter();
        let request = Request::new(space.id).affinity(affinity.clone());
        let irq = domain.alloc(&request, handler).unwrap();
        domain.port().mask(irq.index());
        if matches!(affinity, Affinity::Managed(_)) {
            host.cpu_offline(space.id, CpuId(0)).unwrap();
            host.cpu_online(space.id, CpuId(0)).unwrap();
        } else {
            irq.set_affinity(&Affinity::Cpu(CpuId(1))).unwrap();
        }
        assert_eq!(raise(&irq), Raised::Held);
        assert_eq!(count.load(Ordering::Relaxed), 0);
        host.fly(|flight| domain.port().unmask(flight, irq.index()));
        wait("the handler", || count.load(Ordering::Relaxed) == 1);
    }
}
