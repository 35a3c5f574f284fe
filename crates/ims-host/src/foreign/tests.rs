// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Foreign CPUs, as a book of what was delivered that takes when it is told to.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ims::domain::{Affinity, Kind, Raised, Request};
use ims::message::{DeliveryMode, RequesterId};
use ims::sink::{Acceptance, Answer, Refusal};
use ims::store::CookieUse;
use ims::store::table::Table;
use ims::vector::CpuId;

use crate::{Device, Domain, ForeignCpus, Form, Host, HostError, Irq, Space, Takes};

/// CPUs whose vectors stay pending until [`Bench::take_all`].
#[derive(Default)]
struct Pended {
    vectors: Mutex<BTreeSet<(CpuId, u8)>>,
    gone: AtomicBool,
}

impl ForeignCpus for Pended {
    fn deliver(&self, cpu: CpuId, vector: u8, _mode: DeliveryMode) -> Answer {
        if self.gone.load(Ordering::Relaxed) {
            return Answer::Refused(Refusal::Gone);
        }
        let fresh = self.vectors.lock().unwrap().insert((cpu, vector));
        Answer::Accepted(if fresh {
            Acceptance::Fresh
        } else {
            Acceptance::Coalesced
        })
    }

    fn is_quiet(&self, cpu: CpuId, vector: u8) -> bool {
        !self.vectors.lock().unwrap().contains(&(cpu, vector))
    }
}

struct Bench {
    host: Host,
    space: Space,
    takes: Takes,
    pended: Arc<Pended>,
    domain: Domain<Table>,
    _device: Device,
}

/// A vector that the CPUs keep for themselves.
const OWN: u8 = 0x41;

fn bench(cpus: u32) -> Bench {
    let host = Host::new();
    // Its CPUs must not be taken for the foreign ones, which come after them.
    host.add_space(3, Form::Apic).unwrap();
    let unit = host.add_unit(1024, 4).unwrap();
    let pended = Arc::new(Pended::default());
    let foreign: Arc<dyn ForeignCpus> = Arc::clone(&pended) as _;
    let (space, takes) = host.add_foreign_space(cpus, &[OWN], &foreign).unwrap();
    let device = host.add_device(RequesterId(0x0100));
    let store = Table::new(1024, CookieUse::Opaque);
    let domain = device.add_domain(Kind::Ims, 0, &unit, store).unwrap();
    Bench {
        host,
        space,
        takes,
        pended,
        domain,
        _device: device,
    }
}

impl Bench {
    fn alloc(&self, affinity: Affinity) -> (Irq, Arc<AtomicU64>) {
        let count = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&count);
        let request = Request::new(self.space.id).affinity(affinity);
        let handler = move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
        };
        (self.domain.alloc(&request, handler).unwrap(), count)
    }

    fn raise(&self, irq: &Irq) -> Raised {
        self.host
            .fly(|flight| self.domain.port().raise(flight, 0, irq.index(), None))
    }

    fn take_all(&self) {
        let pending: Vec<_> = self
            .pended
            .vectors
            .lock()
            .unwrap()
            .iter()
            .copied()
            .collect();
        for (cpu, vector) in pending {
            assert!(self.takes.take(cpu, vector));
            self.pended.vectors.lock().unwrap().remove(&(cpu, vector));
        }
    }
}

#[test]
fn what_was_delivered_is_taken_once_on_the_cpu_that_was_named_and_the_sums_agree() {
    let bench = bench(4);
    let (irq, count) = bench.alloc(Affinity::Cpu(CpuId(2)));
    assert_eq!(bench.raise(&irq), Raised::Sent(Acceptance::Fresh));
    assert_eq!(bench.raise(&irq), Raised::Sent(Acceptance::Coalesced));
    let (cpu, vector) = irq.location().unwrap().target.unwrap();
    assert_eq!(cpu, CpuId(2));
    assert!(
        bench
            .pended
            .vectors
            .lock()
            .unwrap()
            .contains(&(cpu, vector))
    );
    bench.take_all();
    assert_eq!(count.load(Ordering::Relaxed), 1);
    assert!(bench.domain.counts(&irq).add_up());
    let taken: Vec<_> = bench
        .host
        .cpu_reports(bench.space)
        .iter()
        .map(|cpu| cpu.taken)
        .collect();
    assert_eq!(taken, [0, 0, 1, 0]);
}

#[test]
fn an_old_vector_is_not_given_back_before_its_foreign_cpu_is_quiet() {
    let bench = bench(2);
    let (irq, count) = bench.alloc(Affinity::Cpu(CpuId(0)));
    let _ = bench.raise(&irq);
    irq.set_affinity(&Affinity::Cpu(CpuId(1))).unwrap();
    let limit = Duration::from_millis(5);
    assert!(matches!(
        bench.host.quiesce(limit),
        Err(HostError::NotQuiet { left: 1 })
    ));
    let _ = bench.raise(&irq);
    bench.take_all();
    bench.host.quiesce(limit).unwrap();
    assert_eq!(count.load(Ordering::Relaxed), 2);
    let vectors: Vec<_> = bench
        .host
        .cpu_reports(bench.space)
        .iter()
        .map(|cpu| cpu.vectors)
        .collect();
    assert_eq!(vectors, [0, 1]);
}

#[test]
fn vectors_that_foreign_cpus_keep_are_given_to_nobody() {
    let bench = bench(1);
    let request = Request::new(bench.space.id);
    let mut irqs = Vec::new();
    while let Ok(irq) = bench.domain.alloc(&request, |_| {}) {
        irqs.push(irq);
    }
    let vectors: BTreeSet<_> = irqs
        .iter()
        .map(|irq| irq.location().unwrap().target.unwrap().1)
        .collect();
    assert!(vectors.len() > 150 && !vectors.contains(&OWN));
}

#[test]
fn a_vector_of_nobody_and_a_cpu_that_is_not_there_are_no_handlers_calls() {
    let bench = bench(1);
    assert!(!bench.takes.take(CpuId(0), 0x55));
    assert!(!bench.takes.take(CpuId(1), 0x55));
    let report = bench.host.cpu_reports(bench.space)[0];
    assert_eq!((report.taken, report.spurious), (0, 1));
}

#[test]
fn a_refusal_of_foreign_cpus_reaches_the_raiser() {
    let bench = bench(1);
    let (irq, _) = bench.alloc(Affinity::Any);
    bench.pended.gone.store(true, Ordering::Relaxed);
    assert_eq!(bench.raise(&irq), Raised::Refused(Refusal::Gone));
    assert!(bench.domain.counts(&irq).add_up());
}
