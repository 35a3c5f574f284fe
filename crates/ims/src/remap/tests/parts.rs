// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a unit under test is put together from.

use crate::message::{DeliveryMode, Destination};
use crate::posted::{Descriptor, Descriptors, Notification};
use crate::remap::{EntryMemory, TableError};
use crate::sink::{Acceptance, Answer, CpuSink};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// One delivery to a CPU.
pub(super) type Delivery = (Destination, u8, DeliveryMode);

/// A CPU sink that keeps what it is given, unless told to be busy.
#[derive(Default)]
pub(super) struct Cpus {
    delivered: Mutex<Vec<Delivery>>,
    pub(super) busy: AtomicBool,
}

impl Cpus {
    pub(super) fn take(&self) -> Vec<Delivery> {
        std::mem::take(&mut self.delivered.lock().unwrap())
    }
}

impl CpuSink for Cpus {
    fn deliver(&self, destination: Destination, vector: u8, mode: DeliveryMode) -> Answer {
        if self.busy.load(Ordering::Relaxed) {
            return Answer::Busy;
        }
        self.delivered
            .lock()
            .unwrap()
            .push((destination, vector, mode));
        Answer::Accepted(Acceptance::HandedOver)
    }

    fn ready(&self, _: Destination) -> bool {
        !self.busy.load(Ordering::Relaxed)
    }
}

/// Descriptors at 0, 64, 128, …; the n-th notifies APIC id n with vector F2h.
pub(super) struct Bank(pub(super) Vec<Descriptor>);

impl Bank {
    pub(super) fn new(count: u32) -> Self {
        let at = |destination| {
            Descriptor::new(Notification {
                destination,
                vector: 0xf2,
            })
        };
        Self((0..count).map(at).collect())
    }
}

impl Descriptors for Bank {
    fn descriptor(&self, address: u64) -> Option<&Descriptor> {
        self.0.get(usize::try_from(address / 64).ok()?)
    }
}

/// Table memory that keeps a list of what was written.
pub(super) struct Watched<M> {
    pub(super) memory: M,
    writes: Mutex<Vec<(u32, u128)>>,
}

impl<M> Watched<M> {
    pub(super) fn new(memory: M) -> Self {
        Self {
            memory,
            writes: Mutex::default(),
        }
    }

    pub(super) fn take(&self) -> Vec<(u32, u128)> {
        std::mem::take(&mut self.writes.lock().unwrap())
    }
}

impl<M: EntryMemory> EntryMemory for Watched<M> {
    fn read(&self, handle: u32) -> Option<u128> {
        self.memory.read(handle)
    }
    fn write(&self, handle: u32, entry: u128) -> Result<(), TableError> {
        self.memory.write(handle, entry)?;
        self.writes.lock().unwrap().push((handle, entry));
        Ok(())
    }
    fn grow(&self, count: u32) -> Result<u32, TableError> {
        self.memory.grow(count)
    }
    fn limit(&self) -> u32 {
        self.memory.limit()
    }
}
