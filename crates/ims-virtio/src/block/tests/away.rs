// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Memory that goes away while there is work: the work is put off, not lost.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use vm_memory::{Bytes, GuestAddress, GuestMemoryMmap};

use super::machine::{Entry, Machine, Scripted, bytes, put_header};
use crate::block::BlockOptions;
use crate::layout::block::{feature, request, status};
use crate::memory::Memory;
use crate::queues::testing::{PATIENCE, Ram};

/// Memory with a switch.
#[derive(Clone)]
struct Switched {
    ram: Ram,
    on: Arc<AtomicBool>,
    asked: Arc<AtomicU64>,
}

impl Memory for Switched {
    type Session = GuestMemoryMmap<()>;

    fn enter(&self) -> Option<Arc<Self::Session>> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let is_on = self.on.load(Ordering::Relaxed);
        is_on.then(|| Arc::clone(&self.ram))
    }
}

#[test]
fn work_waits_for_memory_and_is_done_without_another_notification() {
    let mut machine = Machine::new(&BlockOptions::default());
    let memory = Switched {
        ram: Arc::clone(&machine.ram),
        on: Arc::new(AtomicBool::new(false)),
        asked: Arc::default(),
    };
    machine.start(memory.clone(), feature::FLUSH);
    let base = machine.buffers(0);
    put_header(&machine.ram, base, request::IN, 0);
    let chain = [(base, 16, false), (base + 16, 1, true)];
    machine.drivers[0].add(&chain).unwrap();
    machine.notify(0);
    // It is tried again and again, and nothing is touched.
    while memory.asked.load(Ordering::Relaxed) < 4 {
        std::thread::yield_now();
    }
    assert!(machine.drivers[0].take().is_none());
    memory.on.store(true, Ordering::Relaxed);
    machine.wait_used(0);
}

#[test]
fn a_stop_does_not_wait_for_memory() {
    let mut machine = Machine::new(&BlockOptions::default());
    let memory = Switched {
        ram: Arc::clone(&machine.ram),
        on: Arc::new(AtomicBool::new(false)),
        asked: Arc::default(),
    };
    machine.start(memory.clone(), feature::FLUSH);
    machine.notify(0);
    machine.restart(feature::FLUSH);
    let asked = memory.asked.load(Ordering::Relaxed);
    let synced = machine.request(0, request::FLUSH, 0, (0, 0), false);
    assert_eq!(synced, (status::OK, 1));
    assert_eq!(memory.asked.load(Ordering::Relaxed), asked);
}

#[test]
fn memory_is_not_kept_while_there_is_nothing_to_do() {
    let mut machine = Machine::started(&BlockOptions::default(), feature::FLUSH);
    let ram = Arc::clone(&machine.ram);
    let synced = machine.request(0, request::FLUSH, 0, (0, 0), false);
    assert_eq!(synced, (status::OK, 1));
    // The test's, the machine's, its driver's, and what sessions are made of.
    let start = Instant::now();
    while Arc::strong_count(&ram) > 4 {
        assert!(start.elapsed() < PATIENCE, "a session is kept");
        std::thread::yield_now();
    }
}

/// A machine whose memory does as it is told, with requests that are checked.
struct Play {
    machine: Machine,
    memory: Scripted,
    round: u8,
}

impl Play {
    fn new(features: u64) -> Self {
        let machine = Machine::new(&BlockOptions::default());
        let memory = Scripted {
            ram: Arc::clone(&machine.ram),
            script: Arc::new(Mutex::default()),
        };
        machine.start(memory.clone(), features);
        Self {
            machine,
            memory,
            round: 0,
        }
    }

    /// One write and one read, with `script` for each.
    fn round(&mut self, script: &[Entry]) {
        let machine = &mut self.machine;
        self.round = self.round.wrapping_add(1);
        let at = machine.buffers(0) + 0x1000;
        let data = vec![self.round; 1024];
        machine.ram.write_slice(&data, GuestAddress(at)).unwrap();
        self.memory.script.lock().unwrap().extend(script);
        let wrote = machine.request(0, request::OUT, 5, (at, 1024), false);
        assert_eq!(wrote, (status::OK, 1), "{script:?}");
        assert_eq!(machine.file.read(5 * 512, 1024), data);
        machine
            .ram
            .write_slice(&[0; 1024], GuestAddress(at))
            .unwrap();
        self.memory.script.lock().unwrap().extend(script);
        let read = machine.request(0, request::IN, 5, (at, 1024), true);
        assert_eq!(read, (status::OK, 1025), "{script:?}");
        assert_eq!(bytes(&machine.ram, at, 1024), data);
        assert!(machine.drivers[0].take().is_none());
        assert_eq!(machine.told.counts().resets, 0, "{script:?}");
    }
}

#[test]
fn a_session_that_ends_at_any_access_of_a_request_loses_nothing() {
    let mut play = Play::new(feature::FLUSH);
    for accesses in 0..24 {
        play.round(&[Entry::Ends(accesses)]);
        play.round(&[Entry::Ends(accesses), Entry::Absent]);
        play.round(&[Entry::Absent, Entry::Ends(accesses)]);
    }
}

#[test]
fn a_session_that_ends_while_it_is_told_loses_nothing() {
    let mut play = Play::new(feature::FLUSH);
    for accesses in 0..6 {
        play.round(&[Entry::Good, Entry::Ends(accesses)]);
        play.round(&[Entry::Good, Entry::Ends(accesses), Entry::Absent]);
        play.round(&[Entry::Good, Entry::Absent]);
        play.round(&[Entry::Good, Entry::Absent, Entry::Absent, Entry::Absent]);
    }
}
