// SPDX-License-Identifier: Apache-2.0 OR MIT
//! BAR 2: stores become descriptors, and those go to their queue.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Front;
use super::slot::Slot;
use super::software_error::Entry;
use crate::client::{Client, InterruptTable, Pasid, Portal};
use crate::layout::event::device_error;
use crate::layout::portal::{PORTAL_IMS, PORTAL_LIMITED, PORTAL_SIZE, QUEUE_PORTALS_SIZE};
use crate::layout::{DESCRIPTOR_SIZE, Descriptor};
use crate::work_queue::WorkQueue;

const SLOTS: usize = 64;
const _: () = assert!((SLOTS * DESCRIPTOR_SIZE) as u64 == PORTAL_SIZE);

/// As whom descriptors of a queue are submitted.
#[derive(Debug, Clone, Copy)]
pub(super) enum Submitter {
    /// As the queue's owner.
    Known(Option<Pasid>),
    /// As whom the descriptor names: the processor, or the emulator in its stead,
    /// put it there. All submitters of a function have one memory here, its client's.
    InDescriptor,
}

/// Where a queue's descriptors go.
#[derive(Debug, Clone)]
pub(super) struct Door {
    pub(super) queue: WorkQueue,
    pub(super) submitter: Submitter,
}

/// What of a queue's portals is half stored, allocated when it is first needed:
/// 18 KiB a queue at most.
#[derive(Debug, Default)]
struct Pages {
    /// `None` while the queue is disabled.
    door: Option<Door>,
    pages: [Option<Box<[Slot; SLOTS]>>; 4],
}

/// One queue's portals.
#[derive(Debug, Default)]
struct QueuePortals {
    pages: Mutex<Pages>,
    submitted: AtomicU64,
    refused: AtomicU64,
}

impl QueuePortals {
    fn lock(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All portals of a function.
#[derive(Debug)]
pub(super) struct Portals(Vec<QueuePortals>);

impl Portals {
    pub(super) fn new(queues: u8) -> Self {
        Self((0..queues).map(|_| QueuePortals::default()).collect())
    }

    /// Descriptors of queue `number` go to `door` from now on.
    pub(super) fn open(&self, number: u8, door: Door) {
        if let Some(queue) = self.0.get(usize::from(number)) {
            *queue.lock() = Pages {
                door: Some(door),
                ..Pages::default()
            };
        }
    }

    /// Descriptors of queue `number` are refused from now on, and halves forgotten.
    pub(super) fn close(&self, number: u8) {
        if let Some(queue) = self.0.get(usize::from(number)) {
            *queue.lock() = Pages::default();
        }
    }

    /// As [`Portals::close`], for all.
    pub(super) fn close_all(&self) {
        for queue in &self.0 {
            *queue.lock() = Pages::default();
        }
    }

    /// Descriptors of queue `number` that were taken and that were refused.
    pub(super) fn counts(&self, number: u8) -> (u64, u64) {
        self.0.get(usize::from(number)).map_or((0, 0), |queue| {
            let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
            (count(&queue.submitted), count(&queue.refused))
        })
    }
}

/// A place in BAR 2.
struct Place {
    queue: u8,
    page: u64,
    slot: usize,
    byte: usize,
}

impl Place {
    fn new(offset: u64) -> Option<Self> {
        let within = usize::try_from(offset % PORTAL_SIZE).ok()?;
        Some(Self {
            queue: u8::try_from(offset / QUEUE_PORTALS_SIZE).ok()?,
            page: offset / PORTAL_SIZE % 4,
            slot: within / DESCRIPTOR_SIZE,
            byte: within % DESCRIPTOR_SIZE,
        })
    }

    fn portal(&self) -> Portal {
        let ims = self.page & PORTAL_IMS != 0;
        Portal {
            table: if ims {
                InterruptTable::Ims
            } else {
                InterruptTable::MsiX
            },
            limited: self.page & PORTAL_LIMITED != 0,
        }
    }
}

impl Front {
    /// Cuts a store at slots.
    pub(super) fn store_portals(&self, offset: u64, data: &[u8]) {
        let (mut at, mut rest) = (offset, data);
        while !rest.is_empty() {
            let Some(place) = Place::new(at) else { return };
            let length = rest.len().min(DESCRIPTOR_SIZE - place.byte);
            let (piece, next) = rest.split_at(length);
            self.store_piece(&place, piece);
            let Some(next_at) = at.checked_add(length as u64) else {
                return;
            };
            (at, rest) = (next_at, next);
        }
    }

    fn store_piece(&self, place: &Place, piece: &[u8]) {
        // BAR 2 is a power of two large: there may be no such queue.
        let Some(portals) = self.portals.0.get(usize::from(place.queue)) else {
            return;
        };
        let (bytes, door) = {
            let mut pages = portals.lock();
            let page = usize::try_from(place.page).ok();
            let Some(page) = page.and_then(|page| pages.pages.get_mut(page)) else {
                return;
            };
            let page = page.get_or_insert_with(|| Box::new([Slot::EMPTY; SLOTS]));
            let slot = page.get_mut(place.slot);
            match slot.and_then(|slot| slot.put(place.byte, piece)) {
                Some(bytes) => (bytes, pages.door.clone()),
                None => return,
            }
        };
        let descriptor = Descriptor::from_bytes(&bytes);
        let pasid = match door.as_ref().map(|door| door.submitter) {
            Some(Submitter::Known(pasid)) => pasid,
            Some(Submitter::InDescriptor) => named(&descriptor),
            None => None,
        };
        if door.is_some_and(|door| self.submit(&door, pasid, place.portal(), &descriptor)) {
            portals.submitted.fetch_add(1, Ordering::Relaxed);
        } else {
            portals.refused.fetch_add(1, Ordering::Relaxed);
            let pasid = pasid.map_or(0, Pasid::get);
            let opcode = descriptor.opcode();
            let error = device_error::PORTAL;
            self.device_error(Entry::refused(error, place.queue, opcode, pasid));
        }
    }

    /// Whether the queue took it.
    fn submit(
        &self,
        door: &Door,
        pasid: Option<Pasid>,
        portal: Portal,
        descriptor: &Descriptor,
    ) -> bool {
        let Some(memory) = self.machine.memory() else {
            return false;
        };
        let portal = Portal {
            table: self.machine.table(portal.table),
            ..portal
        };
        let client = Client { pasid, memory };
        let taken = door.queue.submit(&client, portal, descriptor);
        taken.is_ok()
    }
}

/// The PASID in a descriptor's first word.
fn named(descriptor: &Descriptor) -> Option<Pasid> {
    Pasid::new(descriptor.trusted.get() & 0xf_ffff)
}
