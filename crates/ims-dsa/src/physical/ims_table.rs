// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The Interrupt Message Store that software programs.
//!
//! ```text
//!    software: address, data, control ──▶ ┌ entry ┐ ◀── raise: an engine
//!                                         └───┬───┘
//!       unmasked, or by the unmask that finds it pending: one message, as a DMA
//!       write to the address, and the client's answer counted
//! ```
//!
//! # What is exact
//! - A message goes out as one access left it: an access of any width takes effect
//!   on an entry as a whole. Software that changes a message by several accesses
//!   masks the entry first, as it does for MSI-X (PCIe §6.1.4.2).
//! - A raise while the entry is masked is kept and goes out once when it is
//!   unmasked, with the message it has then.
//! - A message is on its way before the access that masks its entry has ended, or
//!   it is not sent. So it reaches the client before the answer to a later read:
//!   reading back the mask flushes, as on hardware.
//!
//! For the last of these a message is given to the client's
//! [`Remote`](ims_vfio::dma::Remote) under the entry's lock. That does not wait;
//! what it calls counts, and takes no entry's lock.

use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock, PoisonError};

use ims_vfio::dma::{Dma, Session};

use super::counts::{Counts, Refusal};
use super::handle::{Grant, NotValid, Numbering};
use super::ims_entry::{Entry, SIZE};
use super::report::{VectorKind, VectorReport};
use crate::client::Pasid;
use crate::layout::command::CommandError;
use crate::sync::{AtomicBool, Mutex, MutexGuard};

#[derive(Debug, Default)]
struct Slot {
    entry: Mutex<Entry>,
    /// Made when it is first raised.
    counts: OnceLock<Arc<Counts>>,
}

/// The store.
///
/// # Concurrency
/// All methods on any thread; each takes one entry's lock at a time.
pub(super) struct ImsTable {
    numbering: Numbering,
    slots: Box<[Slot]>,
    dma: Dma,
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, Entry> {
        // Each change of an entry is whole before anything that could panic.
        self.entry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn counts(&self) -> &Arc<Counts> {
        self.counts.get_or_init(Arc::default)
    }
}

impl ImsTable {
    /// `entries` entries, all masked; handles are good only if asked for, or are
    /// indices.
    pub(super) fn new(entries: u32, by_request: bool, dma: Dma) -> Self {
        Self {
            numbering: Numbering::new(entries, by_request),
            slots: (0..entries).map(|_| Slot::default()).collect(),
            dma,
        }
    }

    fn slot(&self, index: u16) -> Option<&Slot> {
        self.slots.get(usize::from(index))
    }

    /// Reads from byte `offset` of the store; what lies behind it is zero.
    pub(super) fn read(&self, offset: u64, into: &mut [u8]) {
        into.fill(0);
        self.each(offset, into.len(), |slot, within, at| {
            let bytes = slot.lock().bytes();
            let from = bytes.iter().skip(within);
            for (to, from) in into.iter_mut().skip(at).zip(from) {
                *to = *from;
            }
        });
    }

    /// Writes from byte `offset` of the store; what lies behind it is ignored.
    pub(super) fn write(&self, offset: u64, from: &[u8]) {
        self.each(offset, from.len(), |slot, within, at| {
            let mut entry = slot.lock();
            let mut bytes = entry.bytes();
            let written = from.iter().skip(at);
            for (to, from) in bytes.iter_mut().skip(within).zip(written) {
                *to = *from;
            }
            entry.set_bytes(bytes);
            let mut session = None;
            if entry.control.pending() && !entry.control.mask() {
                entry.control.set_pending(false);
                session = self.send(&entry, slot.counts());
            }
            drop(entry);
            drop(session);
        });
    }

    /// Calls for each entry that an access touches: with it, where in it the access
    /// begins, and how much of the access lies before.
    fn each(&self, offset: u64, length: usize, mut touch: impl FnMut(&Slot, usize, usize)) {
        let Ok(offset) = usize::try_from(offset) else {
            return;
        };
        let mut within = offset % SIZE;
        let mut at = 0;
        for slot in self.slots.iter().skip(offset / SIZE) {
            if at >= length {
                return;
            }
            touch(slot, within, at);
            at = at.saturating_add(SIZE.saturating_sub(within));
            within = 0;
        }
    }

    /// Whether a descriptor of `submitter` may name `handle`.
    pub(super) fn check(&self, handle: u16, submitter: Option<Pasid>) -> Result<(), NotValid> {
        let (index, slot) = self.find(handle)?;
        let entry = slot.lock();
        self.numbering
            .admit(entry.grant, entry.control.into(), index, handle, submitter)
    }

    /// Raises the interrupt of `handle` for `submitter`, unless the engines' time is over.
    pub(super) fn raise(
        &self,
        handle: u16,
        submitter: Option<Pasid>,
        alive: &AtomicBool,
    ) -> Result<(), NotValid> {
        let (index, slot) = self.find(handle)?;
        let mut entry = slot.lock();
        // Under the lock, which orders it: who resets entries has said before that it
        // is over.
        if !alive.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.numbering
            .admit(entry.grant, entry.control.into(), index, handle, submitter)?;
        let counts = slot.counts();
        counts.raised();
        let mut session = None;
        if entry.control.mask() {
            counts.held(entry.control.pending());
            entry.control.set_pending(true);
        } else {
            session = self.send(&entry, counts);
        }
        drop(entry);
        // It may be the last one of a time that somebody waits for the end of.
        drop(session);
        Ok(())
    }

    fn find(&self, handle: u16) -> Result<(u16, &Slot), NotValid> {
        let index = self.numbering.index(handle).ok_or(NotValid)?;
        Ok((index, self.slot(index).ok_or(NotValid)?))
    }

    /// Sends the entry's message. The session is to be dropped without the lock.
    fn send(&self, entry: &Entry, counts: &Arc<Counts>) -> Option<Session> {
        match self.dma.session() {
            Ok(session) => {
                let counts = Arc::clone(counts);
                session.interrupt(entry.message, move |answer| {
                    counts.ended(answer.map_err(Refusal::Message));
                });
                Some(session)
            }
            Err(error) => {
                counts.ended(Err(Refusal::Message(error)));
                None
            }
        }
    }

    /// Request Interrupt Handle.
    pub(super) fn request(&self, index: u16) -> Result<u16, CommandError> {
        let slot = self.slot(index).ok_or(CommandError::InvalidInterrupt)?;
        Ok(self.numbering.request(&mut slot.lock().grant, index))
    }

    /// Release Interrupt Handle.
    pub(super) fn release(&self, handle: u16) -> Result<(), CommandError> {
        let (index, slot) = self.find(handle)?;
        self.numbering
            .release(&mut slot.lock().grant, index, handle)
    }

    /// Makes all handles invalid; says how many there were.
    pub(super) fn revoke_all(&self) -> u32 {
        let revoked = self.slots.iter().filter(|slot| slot.lock().grant.revoke());
        u32::try_from(revoked.count()).unwrap_or(u32::MAX)
    }

    /// As after power-on: masked, without messages, handles or what was pending.
    /// Counters go on.
    pub(super) fn reset(&self) {
        for slot in &self.slots {
            *slot.lock() = Entry::default();
        }
    }

    /// The entries that have a handle or were ever raised.
    pub(super) fn report(&self) -> Vec<VectorReport> {
        let used = |(index, slot): (u16, &Slot)| {
            let entry = *slot.lock();
            let counts = slot.counts.get();
            if counts.is_none() && entry.grant == Grant::default() {
                return None;
            }
            Some(VectorReport {
                kind: VectorKind::Ims,
                index,
                handle: self.numbering.handle(entry.grant, index),
                message: Some(entry.message),
                masked: entry.control.mask(),
                pending: entry.control.pending(),
                raises: counts.map(|counts| counts.read()).unwrap_or_default(),
            })
        };
        (0..).zip(&self.slots).filter_map(used).collect()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
