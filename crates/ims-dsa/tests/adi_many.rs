// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Many virtual DSAs on one parent: each gets its interrupts, and its share.
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

#[path = "adi/guest.rs"]
mod guest;

use std::os::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex};

use guest::{Guest, RAM, Ram, SIZE, SUCCESS, copy, drain, signalled, wait};
use ims_dsa::adi::{AdiConfig, Parent, ParentConfig, VirtualDevice};
use ims_vfio::dma::{Access, Backing, Map};
use rustix::event::{EventfdFlags, eventfd};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use vm_memory::VolatileSlice;

const RECORD: u64 = RAM + 0x1000;

/// As many descriptors as the process may have: one for each trigger.
fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, raised).unwrap();
}

fn parent(ims_entries: u32, engines: u8) -> Parent {
    Parent::new(ParentConfig {
        engines,
        ims_entries,
        ..ParentConfig::default()
    })
    .unwrap()
}

fn compose(parent: &Parent, vectors: u16) -> Arc<VirtualDevice> {
    let config = AdiConfig {
        vectors,
        ..AdiConfig::default()
    };
    parent.compose(config).unwrap()
}

#[test]
fn a_thousand_interfaces_have_four_thousand_interrupts_and_each_arrives() {
    raise_limit();
    let parent = parent(4096, 4);
    let mut guests = Vec::new();
    for _ in 0..1000 {
        let guest = Guest::new(&compose(&parent, 5));
        // One eventfd for all four, so that a process has enough descriptors.
        let signal = eventfd(0, EventfdFlags::NONBLOCK).unwrap();
        for vector in 1..5 {
            let trigger = signal.try_clone().unwrap();
            guest.try_trigger(vector, trigger).unwrap();
        }
        guest.enable();
        guests.push((guest, signal));
    }
    assert_eq!(parent.usage().ims_used, 4000);
    let mut handles = Vec::new();
    for (guest, _) in &guests {
        for vector in 1..5u16 {
            let handle = guest.handle(vector.into());
            let record = RECORD + u64::from(vector) * 32;
            let slot = u64::from(vector);
            guest.submit(0, slot, &copy(RAM, RAM + 64, 8, record, Some(handle)));
            handles.push(handle);
        }
    }
    handles.sort_unstable();
    handles.dedup();
    assert_eq!(handles.len(), 4000, "each has an entry of its own");
    for (guest, signal) in &guests {
        let records = (1..5).map(|vector| RECORD + vector * 32);
        for record in records {
            wait("the record", || guest.ram.status(record) == SUCCESS);
        }
        wait("the sum", || (1..5).all(|vector| guest.adds_up(vector)));
        signalled(signal, 4);
    }
    assert!(
        guests.iter().all(|(_, signal)| drain(signal) == 0),
        "each once"
    );
    // What is left is 96 entries: the next one is refused, and nothing else.
    let late = Guest::new(&compose(&parent, 101));
    let taken: Vec<OwnedFd> = (1..97).map(|vector| late.trigger(vector)).collect();
    let one_more = eventfd(0, EventfdFlags::NONBLOCK).unwrap();
    let refused = late.try_trigger(97, one_more).unwrap_err();
    assert_eq!(refused.errno(), rustix::io::Errno::NOSPC);
    drop((taken, late, guests));
    wait("the entries", || parent.usage().ims_used == 0);
}

/// Memory that says whose it is whenever an engine reaches into it, and can hold
/// the engine.
struct Watched {
    ram: Arc<Ram>,
    who: usize,
    log: Arc<Log>,
}

#[derive(Default)]
struct Log {
    order: Mutex<Vec<usize>>,
    open: Mutex<bool>,
    opened: Condvar,
}

const PLUG: usize = usize::MAX;

impl Backing for Watched {
    fn slice(&self, offset: u64, length: usize) -> Option<VolatileSlice<'_>> {
        // The whole of it is looked at when it is mapped.
        if length < SIZE {
            self.log.order.lock().unwrap().push(self.who);
            if self.who == PLUG {
                let open = self.log.open.lock().unwrap();
                drop(self.log.opened.wait_while(open, |open| !*open).unwrap());
            }
        }
        self.ram.slice(offset, length)
    }
}

fn watched(device: &Arc<VirtualDevice>, who: usize, log: &Arc<Log>) -> Guest {
    let guest = Guest::new(device);
    let dma = &guest.endpoint.function().dma;
    dma.unmap(RAM, SIZE as u64, ims_vfio::Hold::nobody())
        .unwrap();
    let backing = Watched {
        ram: guest.ram.clone(),
        who,
        log: Arc::clone(log),
    };
    dma.map(Map {
        address: RAM,
        size: SIZE as u64,
        access: Access::READ_WRITE,
        memory: Some((Arc::new(backing), 0)),
    })
    .unwrap();
    guest.enable();
    guest
}

#[test]
fn of_sixty_four_at_work_at_once_none_is_starved() {
    const GUESTS: usize = 64;
    const EACH: u64 = 64;
    let parent = parent(256, 2);
    let log = Arc::new(Log::default());
    // Both engines are held until everybody's descriptors wait.
    let plug = watched(&compose(&parent, 1), PLUG, &log);
    for slot in 0..2 {
        plug.submit(0, slot, &copy(RAM, RAM + 64, 8, RECORD, None));
    }
    wait("both engines", || log.order.lock().unwrap().len() == 2);
    let guests: Vec<_> = (0..GUESTS)
        .map(|who| watched(&compose(&parent, 1), who, &log))
        .collect();
    for guest in &guests {
        for slot in 0..EACH {
            let record = RECORD + slot * 32;
            guest.submit(0, slot, &copy(RAM, RAM + 0x4000, 4096, record, None));
        }
        assert_eq!(guest.report().queue.depth, EACH as u16);
    }
    *log.open.lock().unwrap() = true;
    log.opened.notify_all();
    let done = |guest: &Guest| guest.report().queue.completed == EACH;
    wait("all of it", || guests.iter().all(done));
    let order = log.order.lock().unwrap();
    let order: Vec<usize> = order.iter().copied().filter(|who| *who != PLUG).collect();
    let share = order.len() / GUESTS;
    assert!(share as u64 >= EACH, "an engine reaches in for each");
    // After a quarter, a half and three quarters of all work each has had at least
    // half of its part of that.
    for part in 1..4 {
        let so_far = &order[..order.len() * part / 4];
        for who in 0..GUESTS {
            let had = so_far.iter().filter(|one| **one == who).count();
            assert!(had >= share * part / 8, "{who} had {had} after part {part}");
        }
    }
}
