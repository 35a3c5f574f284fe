// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A lane: one completion interrupt of one interface, and the driver that works
//! with it inside its guest.
//!
//! The driver keeps a few operations outstanding; when the interrupt comes it
//! looks for completion records, checks what was done, and submits the next.

mod submit;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ims_dsa::layout::Completion;
use ims_dsa::{Client, InterruptTable, Portal, WorkQueues};
use ims_host::Taken;
use vm_memory::{Bytes, GuestAddress};

use super::operation::{Buffers, Operation, Random};
use super::owner::Owner;
use super::pump::Pump;
use super::stamp::Stamps;
use super::vm::Vm;

/// Submissions of the run go to the device's interrupt message store.
pub(super) const PORTAL: Portal = Portal {
    table: InterruptTable::Ims,
    limited: false,
};

/// What a lane is made of.
pub(super) struct Parts {
    pub(super) adi: u32,
    pub(super) queue: u32,
    pub(super) vector: u32,
    pub(super) vm: Arc<Vm>,
    pub(super) client: Client,
    pub(super) work_queue: u32,
    pub(super) queues: WorkQueues,
    pub(super) buffers: Vec<Buffers>,
    pub(super) stamps: Arc<Stamps>,
    pub(super) pump: Arc<Pump>,
    pub(super) seed: u64,
}

/// One lane.
pub(super) struct Lane {
    pub(super) parts: Parts,
    /// Its index in the function's store, once it is allocated.
    index: AtomicU32,
    pub(super) owner: Owner,
    driver: Mutex<Driver>,
    /// Nothing new is submitted.
    stopping: AtomicBool,
    /// The interrupt is freed and quiet: nobody may call any more.
    over: AtomicBool,
    pub(super) tally: Tally,
}

/// What a lane counts.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) calls: AtomicU64,
    pub(super) astray: AtomicU64,
    pub(super) misdirected: AtomicU64,
}

/// The driver's side, under a lock that its handler and the pump share.
struct Driver {
    random: Random,
    places: Vec<Place>,
    scratch: Vec<u8>,
    done: Done,
}

/// What became of a lane's operations.
#[derive(Debug, Clone, Default)]
pub(super) struct Done {
    pub(super) by_kind: BTreeMap<&'static str, u64>,
    pub(super) completed: u64,
    pub(super) verified: u64,
    pub(super) bytes: u64,
    /// Submissions that found the queue full, and were tried again.
    pub(super) pushed_back: u64,
    pub(super) wrong: Vec<String>,
}

/// Where one outstanding operation is.
enum Place {
    Idle,
    /// The VM has enough under way.
    Turn,
    /// The queue was full.
    Waiting(Operation),
    Submitted(Operation),
}

impl Place {
    /// Whether it has one of the VM's turns.
    fn has_turn(&self) -> bool {
        matches!(self, Self::Waiting(_) | Self::Submitted(_))
    }
}

/// What is left in a lane that should be empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Left {
    /// Completed, but no interrupt led the driver to it.
    pub(super) unseen: u64,
    /// Not completed.
    pub(super) unfinished: u64,
}

impl Lane {
    pub(super) fn new(parts: Parts) -> Arc<Self> {
        let places = parts.buffers.iter().map(|_| Place::Idle).collect();
        let driver = Driver {
            random: Random::new(parts.seed),
            places,
            scratch: Vec::new(),
            done: Done::default(),
        };
        Arc::new(Self {
            parts,
            index: AtomicU32::new(u32::MAX),
            owner: Owner::new(),
            driver: Mutex::new(driver),
            stopping: AtomicBool::new(false),
            over: AtomicBool::new(false),
            tally: Tally::default(),
        })
    }

    /// The interrupt it works with is at this index of the store.
    pub(super) fn set_index(&self, index: u32) {
        self.index.store(index, Ordering::Release);
    }

    pub(super) fn index(&self) -> u32 {
        self.index.load(Ordering::Acquire)
    }

    /// The handle its descriptors carry.
    pub(super) fn handle(&self) -> u16 {
        u16::try_from(self.index()).unwrap_or(u16::MAX)
    }

    fn driver(&self) -> MutexGuard<'_, Driver> {
        self.driver.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether its interrupt was ever taken.
    pub(super) fn was_called(&self) -> bool {
        self.tally.calls.load(Ordering::Relaxed) > 0
    }

    /// Nothing new is submitted from now on.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// No call may come from now on.
    pub(super) fn end(&self) {
        self.over.store(true, Ordering::Release);
        let driver = self.driver();
        let kept = driver.places.iter().filter(|place| place.has_turn());
        let kept = u32::try_from(kept.count()).unwrap_or(u32::MAX);
        self.parts.vm.turns.end(kept);
    }

    /// Called by the CPU that took the lane's interrupt.
    pub(super) fn take(self: &Arc<Self>, taken: Taken) {
        self.tally.calls.fetch_add(1, Ordering::Relaxed);
        if self.over.load(Ordering::Acquire) || taken.space != self.parts.vm.space.id {
            self.tally.astray.fetch_add(1, Ordering::Relaxed);
            return;
        }
        if !self.owner.allows(taken.cpu.0) {
            self.tally.misdirected.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(latency) = self.parts.stamps.taken(self.index()) {
            self.parts.vm.record_latency(taken.cpu, latency);
        }
        let mut driver = self.driver();
        for at in 0..driver.places.len() {
            if self.finish(&mut driver, at) {
                self.next(&mut driver, at);
            }
        }
    }

    /// What the lane's operations came to.
    pub(super) fn done(&self) -> Done {
        self.driver().done.clone()
    }

    /// What is outstanding.
    pub(super) fn left(&self) -> Left {
        let driver = self.driver();
        let mut left = Left::default();
        for (place, buffers) in driver.places.iter().zip(&self.parts.buffers) {
            match place {
                Place::Idle | Place::Turn => {}
                Place::Submitted(_) if self.status(buffers) != 0 => left.unseen += 1,
                Place::Submitted(_) | Place::Waiting(_) => left.unfinished += 1,
            }
        }
        left
    }

    fn status(&self, buffers: &Buffers) -> u8 {
        let record = GuestAddress(buffers.record);
        // Acquire: the status is written last, with release.
        self.parts
            .vm
            .memory
            .load(record, Ordering::Acquire)
            .unwrap_or(0)
    }

    /// Checks the operation at `at` if it has completed; says whether it has.
    fn finish(&self, driver: &mut Driver, at: usize) -> bool {
        let (Some(Place::Submitted(operation)), Some(buffers)) =
            (driver.places.get(at), self.parts.buffers.get(at))
        else {
            return false;
        };
        if self.status(buffers) == 0 {
            return false;
        }
        let operation = *operation;
        self.parts.vm.turns.end(1);
        let memory = &self.parts.vm.memory;
        let mut bytes = [0; 32];
        let checked = memory
            .read_slice(&mut bytes, GuestAddress(buffers.record))
            .map_err(|error| error.to_string())
            .and_then(|()| {
                let record = Completion::from_bytes(&bytes);
                operation.check(&record, buffers, memory, &mut driver.scratch)
            });
        driver.done.completed += 1;
        driver.done.bytes += operation.bytes();
        *driver
            .done
            .by_kind
            .entry(operation.kind.name())
            .or_default() += 1;
        match checked {
            Ok(()) => driver.done.verified += 1,
            Err(wrong) => driver
                .done
                .wrong
                .push(format!("interface {}: {wrong}", self.parts.adi)),
        }
        if let Some(place) = driver.places.get_mut(at) {
            *place = Place::Idle;
        }
        true
    }
}

impl Done {
    /// Adds another lane's.
    pub(super) fn add(&mut self, other: Self) {
        for (kind, count) in other.by_kind {
            *self.by_kind.entry(kind).or_default() += count;
        }
        self.completed += other.completed;
        self.verified += other.verified;
        self.bytes += other.bytes;
        self.pushed_back += other.pushed_back;
        self.wrong.extend(other.wrong);
    }
}
