// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A plain driver: rings in memory as the specification has them, and what a
//! transport gives a device.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test"
)]

use std::collections::VecDeque;
use std::sync::atomic::{Ordering, fence};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use ims::domain::Kind;
use ims::message::RequesterId;
use ims::store::CookieUse;
use ims::store::table::Table;
use ims_host::{Form, Host};
use virtio_queue::{Queue, QueueT};
use vm_memory::{Bytes, GuestAddress, GuestMemoryMmap};

use super::BackingInterrupts;
use crate::notifier::{Event, Notifier, Notify};

pub(crate) type Ram = Arc<GuestMemoryMmap<()>>;

/// Memory of `bytes` from address 0 on.
pub(crate) fn ram(bytes: usize) -> Ram {
    Arc::new(GuestMemoryMmap::from_ranges(&[(GuestAddress(0), bytes)]).unwrap())
}

/// How long a test waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A host with soft CPUs and a table of entries.
pub(crate) struct Backing {
    pub(crate) host: Host,
    pub(crate) interrupts: BackingInterrupts,
    // After its domain's users.
    _device: ims_host::Device,
}

pub(crate) fn backing(cpus: u32, entries: u32) -> Backing {
    let host = Host::new();
    let unit = host.add_unit(entries, 8).unwrap();
    let space = host.add_space(cpus, Form::Apic).unwrap();
    let device = host.add_device(RequesterId(0x0100));
    let table = Table::new(entries, CookieUse::Opaque);
    let domain = device.add_domain(Kind::Ims, 0, &unit, table).unwrap();
    Backing {
        interrupts: BackingInterrupts::new(&host, domain, space, None),
        host,
        _device: device,
    }
}

/// What the driver was told.
#[derive(Default)]
pub(crate) struct Told {
    counts: Mutex<Counts>,
    changed: Condvar,
}

#[derive(Default, Clone)]
pub(crate) struct Counts {
    pub(crate) used: Vec<u64>,
    pub(crate) resets: u64,
}

impl Counts {
    pub(crate) fn of(&self, queue: u16) -> u64 {
        self.used.get(usize::from(queue)).copied().unwrap_or(0)
    }
}

impl Told {
    pub(crate) fn notifier(self: &Arc<Self>) -> Notifier {
        Notifier::new(Arc::clone(self) as Arc<dyn Notify>)
    }

    fn change(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.counts.lock().unwrap());
        self.changed.notify_all();
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts.lock().unwrap().clone()
    }

    /// Waits until `enough` is said of what was told.
    pub(crate) fn wait(&self, mut enough: impl FnMut(&Counts) -> bool) {
        let counts = self.counts.lock().unwrap();
        let (_counts, waited) = self
            .changed
            .wait_timeout_while(counts, PATIENCE, |counts| !enough(counts))
            .unwrap();
        assert!(!waited.timed_out(), "the driver was not told in time");
    }
}

impl Notify for Told {
    fn notify(&self, event: Event) {
        let Event::Used(queue) = event else {
            panic!("the configuration never changes");
        };
        self.change(|counts| {
            let queue = usize::from(queue);
            if counts.used.len() <= queue {
                counts.used.resize(queue + 1, 0);
            }
            counts.used[queue] += 1;
        });
    }

    fn needs_reset(&self) {
        self.change(|counts| counts.resets += 1);
    }
}

pub(crate) const NEXT: u16 = 1;
pub(crate) const WRITE: u16 = 2;
pub(crate) const INDIRECT: u16 = 4;

/// A buffer: address, length, whether the device writes it.
pub(crate) type Buffer = (u64, u32, bool);

/// The driver's side of one queue. Its rings are in `base..base + RINGS`.
pub(crate) struct Driver {
    pub(crate) ram: Ram,
    pub(crate) base: u64,
    pub(crate) size: u16,
    free: VecDeque<u16>,
    chains: Vec<Vec<u16>>,
    available: u16,
    seen: u16,
}

/// Room for the rings of a queue of 256.
pub(crate) const RINGS: u64 = 0x4000;

impl Driver {
    pub(crate) fn new(ram: &Ram, base: u64, size: u16) -> Self {
        let zero = vec![0; RINGS as usize];
        ram.write_slice(&zero, GuestAddress(base)).unwrap();
        Self {
            ram: Arc::clone(ram),
            base,
            size,
            free: (0..size).collect(),
            chains: vec![Vec::new(); usize::from(size)],
            available: 0,
            seen: 0,
        }
    }

    pub(crate) fn avail(&self) -> u64 {
        self.base + 0x1000
    }

    pub(crate) fn used(&self) -> u64 {
        self.base + 0x2000
    }

    /// What a transport would make of the driver's writes.
    pub(crate) fn queue(&self) -> Queue {
        let mut queue = Queue::new(self.size).unwrap();
        queue.set_desc_table_address(Some(self.base as u32), Some(0));
        queue.set_avail_ring_address(Some(self.avail() as u32), Some(0));
        queue.set_used_ring_address(Some(self.used() as u32), Some(0));
        queue.set_ready(true);
        assert!(queue.is_valid(&*self.ram));
        queue
    }

    pub(crate) fn store16(&self, address: u64, value: u16) {
        self.ram
            .store(value, GuestAddress(address), Ordering::Release)
            .unwrap();
    }

    pub(crate) fn load16(&self, address: u64) -> u16 {
        self.ram
            .load(GuestAddress(address), Ordering::Acquire)
            .unwrap()
    }

    /// Writes a descriptor into any table.
    pub(crate) fn descriptor(&self, at: u64, address: u64, length: u32, flags: u16, next: u16) {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&address.to_le_bytes());
        bytes[8..12].copy_from_slice(&length.to_le_bytes());
        bytes[12..14].copy_from_slice(&flags.to_le_bytes());
        bytes[14..].copy_from_slice(&next.to_le_bytes());
        self.ram.write_slice(&bytes, GuestAddress(at)).unwrap();
    }

    /// Makes a head available, whatever it leads to.
    pub(crate) fn publish(&mut self, head: u16) {
        let place = u64::from(self.available % self.size);
        self.store16(self.avail() + 4 + 2 * place, head);
        self.available = self.available.wrapping_add(1);
        self.store16(self.avail() + 2, self.available);
    }

    /// Adds a chain; its head, if there was room.
    pub(crate) fn add(&mut self, buffers: &[Buffer]) -> Option<u16> {
        if self.free.len() < buffers.len() {
            return None;
        }
        let places: Vec<u16> = self.free.drain(..buffers.len()).collect();
        for (n, (address, length, write)) in buffers.iter().enumerate() {
            let next = places.get(n + 1);
            let mut flags = if *write { WRITE } else { 0 };
            if next.is_some() {
                flags |= NEXT;
            }
            let at = self.base + 16 * u64::from(places[n]);
            self.descriptor(at, *address, *length, flags, next.copied().unwrap_or(0));
        }
        Some(self.give(places))
    }

    /// Adds a chain whose descriptors are in a table at `table`.
    pub(crate) fn add_indirect(&mut self, table: u64, buffers: &[Buffer]) -> Option<u16> {
        let place = self.free.pop_front()?;
        for (n, (address, length, write)) in buffers.iter().enumerate() {
            let mut flags = if *write { WRITE } else { 0 };
            if n + 1 < buffers.len() {
                flags |= NEXT;
            }
            self.descriptor(
                table + 16 * n as u64,
                *address,
                *length,
                flags,
                n as u16 + 1,
            );
        }
        let at = self.base + 16 * u64::from(place);
        self.descriptor(at, table, 16 * buffers.len() as u32, INDIRECT, 0);
        Some(self.give(vec![place]))
    }

    fn give(&mut self, places: Vec<u16>) -> u16 {
        let head = places[0];
        self.chains[usize::from(head)] = places;
        self.publish(head);
        head
    }

    /// The next used chain: its head and the bytes written.
    pub(crate) fn take(&mut self) -> Option<(u16, u32)> {
        if self.load16(self.used() + 2) == self.seen {
            return None;
        }
        let at = self.used() + 4 + 8 * u64::from(self.seen % self.size);
        let id: u32 = self.ram.read_obj(GuestAddress(at)).unwrap();
        let written: u32 = self.ram.read_obj(GuestAddress(at + 4)).unwrap();
        self.seen = self.seen.wrapping_add(1);
        let head = u16::try_from(id).unwrap();
        let places = std::mem::take(&mut self.chains[usize::from(head)]);
        self.free.extend(places);
        Some((head, written))
    }

    /// The device need not tell before `index` is used.
    pub(crate) fn tell_after(&self, index: u16) {
        self.store16(self.avail() + 4 + 2 * u64::from(self.size), index);
    }

    /// How many chains were made available, and how many were taken back.
    pub(crate) fn position(&self) -> (u16, u16) {
        (self.available, self.seen)
    }

    /// Whether the device wants to know of what was made available since `before`.
    pub(crate) fn wants_notify(&self, event_idx: bool, before: u16) -> bool {
        fence(Ordering::SeqCst);
        if !event_idx {
            return self.load16(self.used()) & 1 == 0;
        }
        let event = self.load16(self.used() + 4 + 8 * u64::from(self.size));
        let since = self.available.wrapping_sub(before);
        self.available.wrapping_sub(event).wrapping_sub(1) < since
    }

    /// Descriptors that no chain has.
    pub(crate) fn room(&self) -> usize {
        self.free.len()
    }
}
