// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A client's MSI-X whose vectors are interrupts of the host's IMS.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test"
)]

mod device;
mod peer;

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Instant;

use device::TestDevice;
use ims::domain::{Kind, Request};
use ims::message::RequesterId;
use ims::store::table::Table;
use ims::store::{CookieUse, Pasid};
use ims_host::{Domain, Form, Host, Space};
use ims_vfio::Device;
use ims_vfio::irqs::{HostBacking, Irqs, Lines};
use ims_vfio::layout::{irq, irq_set};
use ims_vfio_user::layout::command;
use ims_vfio_user::{Limits, Server};
use peer::{PATIENCE, Peer, Place, set};
use rustix::event::{EventfdFlags, eventfd};

const VECTORS: u16 = 256;
const TRIGGER: u32 = irq_set::DATA_EVENTFD | irq_set::ACTION_TRIGGER;

/// A host, and virtual devices that take their interrupts from one device's IMS.
struct Bench {
    host: Host,
    space: Space,
    domain: Domain<Table>,
    _physical: ims_host::Device,
}

impl Bench {
    fn new() -> Self {
        let host = Host::new();
        let unit = host.add_unit(8192, 8).unwrap();
        let space = host.add_space(16, Form::Posted).unwrap();
        let physical = host.add_device(RequesterId(0x6a01));
        let domain = physical
            .add_domain(Kind::Ims, 0, &unit, Table::new(8192, CookieUse::Pasid))
            .unwrap();
        Self {
            host,
            space,
            domain,
            _physical: physical,
        }
    }

    fn virtual_device(&self, pasid: Pasid) -> Arc<TestDevice> {
        let request = Request::new(self.space.id).cookie(pasid);
        let backing = Arc::new(HostBacking::new(self.domain.clone(), request));
        let lines = Lines::msix(VECTORS);
        let irqs = Irqs::new(lines, Some(backing)).unwrap();
        Arc::new(TestDevice::with_irqs(lines, irqs))
    }

    fn raise(&self, index: u32, pasid: Pasid) {
        let port = self.domain.port();
        let _ = self
            .host
            .fly(|flight| port.raise(flight, 0, index, Some(pasid)));
    }

    fn live(&self) -> usize {
        self.host.settle();
        self.host.irq_reports(self.space).len()
    }
}

fn trigger(peer: &mut Peer, vector: u32) -> OwnedFd {
    let fd = eventfd(0, EventfdFlags::NONBLOCK).unwrap();
    let theirs = fd.try_clone().unwrap();
    peer.set_irqs(set(TRIGGER, irq::MSIX, vector, 1), &[], &[theirs])
        .unwrap();
    fd
}

fn fired(fd: &OwnedFd) -> Option<u64> {
    let mut count = [0; 8];
    rustix::io::read(fd, &mut count).ok()?;
    Some(u64::from_ne_bytes(count))
}

fn wait_for(what: &str, done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        std::thread::yield_now();
    }
}

#[test]
fn twelve_clients_have_more_interrupts_than_one_msix_table_and_each_gets_its_own() {
    let bench = Bench::new();
    let server = Server::start(Limits::default()).unwrap();
    let mut all = Vec::new();
    for number in 1..=12u32 {
        let pasid = Pasid::new(number).unwrap();
        let device = bench.virtual_device(pasid);
        let place = Place::new(&format!("backed-{number}"));
        server
            .listen(&place.0, Arc::clone(&device) as Arc<dyn Device>)
            .unwrap();
        let mut peer = Peer::agreed(&place.0);
        let triggers: Vec<_> = (0..VECTORS.into()).map(|n| trigger(&mut peer, n)).collect();
        all.push((pasid, device, place, peer, triggers));
    }
    assert_eq!(bench.live(), 12 * usize::from(VECTORS));
    let mut indexes = BTreeSet::new();
    for (pasid, device, _, _, triggers) in &all {
        for (vector, trigger) in (0..).zip(triggers) {
            let index = device.function().irqs.ims_index(vector).unwrap();
            assert!(indexes.insert(index), "one slot for each");
            bench.raise(index, *pasid);
            wait_for("the interrupt", || fired(trigger).is_some());
        }
    }
    let quiet = |fd: &OwnedFd| fired(fd).is_none();
    assert!(all.iter().all(|(.., triggers)| triggers.iter().all(quiet)));
    // A submitter of one device cannot name another's interrupt.
    let (stranger, victim) = (all[0].0, all[1].1.function().irqs.ims_index(0).unwrap());
    bench.raise(victim, stranger);
    std::thread::sleep(std::time::Duration::from_millis(20));
    assert!(quiet(&all[1].4[0]));
}

#[test]
fn a_client_takes_and_gives_back_interrupts_as_it_goes() {
    let bench = Bench::new();
    let server = Server::start(Limits::default()).unwrap();
    let pasid = Pasid::new(7).unwrap();
    let device = bench.virtual_device(pasid);
    let irqs = &device.function().irqs;
    let place = Place::new("backed");
    server
        .listen(&place.0, Arc::clone(&device) as Arc<dyn Device>)
        .unwrap();
    let mut peer = Peer::agreed(&place.0);
    assert_eq!(bench.live(), 0, "nothing before it is asked for");
    let first = trigger(&mut peer, 200);
    let index = irqs.ims_index(200).unwrap();
    let generation = irqs.generation();
    // As at each unmask: a new eventfd, and the slot stays.
    let second = trigger(&mut peer, 200);
    assert_eq!(
        (irqs.ims_index(200).unwrap(), irqs.generation()),
        (index, generation)
    );
    bench.raise(index, pasid);
    wait_for("the interrupt", || fired(&second).is_some());
    assert!(fired(&first).is_none());
    // Taken away, it is freed, and its slot names nothing.
    peer.set_irqs(set(TRIGGER, irq::MSIX, 200, 1), &[], &[])
        .unwrap();
    assert!(irqs.ims_index(200).is_err() && irqs.generation() > generation);
    wait_for("freed", || bench.live() == 0);
    // Reset, and loss of the client, free all.
    let _fds: Vec<_> = (0..32).map(|vector| trigger(&mut peer, vector)).collect();
    assert_eq!(bench.live(), 32);
    peer.call(command::DEVICE_RESET, &[], &[]).unwrap();
    wait_for("freed by a reset", || bench.live() == 0);
    let _fds: Vec<_> = (0..32).map(|vector| trigger(&mut peer, vector)).collect();
    drop(peer);
    wait_for("freed with the client", || bench.live() == 0);
}
