// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The MSI-X vectors: table, pending bits and permissions.
//!
//! An interrupt goes out as the eventfd that the client set for the vector. What
//! the table holds is the client's: a VMM that keeps the table itself shows its
//! guest none of this one, and never writes here; it does its masking by itself.
//! So an entry's mask counts from the first time on that its control word was
//! written since the reset, although it reads as masked before that. The function
//! mask counts while MSI-X is enabled.
//!
//! A raise that meets a mask sets the vector's pending bit, and is signalled once
//! when nothing masks the vector any more.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use ims_vfio::Function;
use ims_vfio::layout::irq;

use super::counts::{Counts, Refusal};
use super::handle::{Grant, NotValid, Numbering};
use super::report::{VectorKind, VectorReport};
use super::vector::{Vector, WORDS};
use crate::client::Pasid;
use crate::layout::command::CommandError;
use crate::layout::tables::{MSIX_PERMISSION_SIZE, MsixPermission};
use crate::sync::{AtomicBool, Mutex, MutexGuard};

#[derive(Debug, Default)]
struct Slot {
    vector: Mutex<Vector>,
    counts: Counts,
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, Vector> {
        // Each change of a vector is whole before anything that could panic.
        self.vector.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The vectors.
///
/// # Concurrency
/// All methods on any thread; each takes one vector's lock at a time, and signals
/// nothing under it: a signal is a system call.
pub(super) struct Vectors {
    numbering: Numbering,
    slots: Box<[Slot]>,
    function: Arc<Function>,
}

impl Vectors {
    /// `count` vectors that `function` signals.
    pub(super) fn new(count: u16, by_request: bool, function: Arc<Function>) -> Self {
        Self {
            numbering: Numbering::new(count.into(), by_request),
            slots: (0..count).map(|_| Slot::default()).collect(),
            function,
        }
    }

    fn slot(&self, index: u64) -> Option<&Slot> {
        self.slots.get(usize::try_from(index).ok()?)
    }

    fn is_masked(&self, vector: &Vector) -> bool {
        let function = self.function.config.msix();
        function.enabled && function.masked || vector.is_masked()
    }

    /// Word `word` of the table.
    pub(super) fn read_table(&self, word: u64) -> u32 {
        let (index, at) = entry_word(word);
        let slot = self.slot(index);
        slot.and_then(|slot| slot.lock().words.get(at).copied())
            .unwrap_or(0)
    }

    /// Writes word `word` of the table.
    pub(super) fn write_table(&self, word: u64, value: u32) {
        let (index, at) = entry_word(word);
        if let Some(slot) = self.slot(index) {
            slot.lock().write(at, value);
            self.settle(index, slot);
        }
    }

    /// Word `word` of the pending bits.
    pub(super) fn read_pending(&self, word: u64) -> u32 {
        let first = usize::try_from(word.saturating_mul(32)).unwrap_or(usize::MAX);
        let vectors = self.slots.iter().skip(first);
        let pending = (0..32).zip(vectors);
        pending.fold(0, |bits, (bit, slot)| {
            bits | u32::from(slot.lock().pending) << bit
        })
    }

    /// Word `word` of the permissions.
    pub(super) fn read_permission(&self, word: u64) -> u32 {
        let words = MSIX_PERMISSION_SIZE / 4;
        match self.slot(word / words) {
            Some(slot) if word.is_multiple_of(words) => slot.lock().permission.into(),
            _ => 0,
        }
    }

    /// Writes word `word` of the permissions.
    pub(super) fn write_permission(&self, word: u64, value: u32) {
        let words = MSIX_PERMISSION_SIZE / 4;
        if let Some(slot) = self
            .slot(word / words)
            .filter(|_| word.is_multiple_of(words))
        {
            let value = MsixPermission::from(value);
            slot.lock().permission = MsixPermission::new()
                .with_ignore(value.ignore())
                .with_pasid_enable(value.pasid_enable())
                .with_pasid(value.pasid());
        }
    }

    /// Whether a descriptor of `submitter` may name `handle`.
    pub(super) fn check(&self, handle: u16, submitter: Option<Pasid>) -> Result<(), NotValid> {
        let (index, slot) = self.find(handle)?;
        let vector = slot.lock();
        self.numbering.admit(
            vector.grant,
            vector.permission.into(),
            index,
            handle,
            submitter,
        )
    }

    /// Raises the vector of `handle` for `submitter`, unless the engines' time is over.
    pub(super) fn raise(
        &self,
        handle: u16,
        submitter: Option<Pasid>,
        alive: &AtomicBool,
    ) -> Result<(), NotValid> {
        let (index, slot) = self.find(handle)?;
        let vector = slot.lock();
        // Under the lock, which orders it: who resets vectors has said before that it
        // is over.
        if !alive.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.numbering.admit(
            vector.grant,
            vector.permission.into(),
            index,
            handle,
            submitter,
        )?;
        self.raise_locked(index.into(), slot, vector);
        Ok(())
    }

    /// Raises the miscellaneous interrupt, which no handle need name.
    pub(super) fn raise_misc(&self) {
        if let Some(slot) = self.slot(0) {
            self.raise_locked(0, slot, slot.lock());
        }
    }

    fn raise_locked(&self, index: u32, slot: &Slot, mut vector: MutexGuard<'_, Vector>) {
        slot.counts.raised();
        if self.is_masked(&vector) {
            slot.counts.held(vector.pending);
            vector.pending = true;
            return;
        }
        drop(vector);
        self.signal(index, slot);
    }

    fn signal(&self, index: u32, slot: &Slot) {
        // This may be the server's thread, which is every client's; and an engine that a
        // client holds would be missing to the next one.
        let signalled = self.function.irqs.trigger_unheld(irq::MSIX, index);
        let end = signalled.map(drop).map_err(|_| Refusal::NoTrigger);
        slot.counts.ended(end);
    }

    /// Signals what was pending, if nothing masks the vector any more.
    fn settle(&self, index: u64, slot: &Slot) {
        let mut vector = slot.lock();
        if !vector.pending || self.is_masked(&vector) {
            return;
        }
        vector.pending = false;
        drop(vector);
        if let Ok(index) = u32::try_from(index) {
            self.signal(index, slot);
        }
    }

    /// The function mask may have gone.
    pub(super) fn settle_all(&self) {
        for (index, slot) in (0..).zip(&self.slots) {
            self.settle(index, slot);
        }
    }

    fn find(&self, handle: u16) -> Result<(u16, &Slot), NotValid> {
        let index = self.numbering.index(handle).ok_or(NotValid)?;
        Ok((index, self.slot(index.into()).ok_or(NotValid)?))
    }

    /// Request Interrupt Handle.
    pub(super) fn request(&self, index: u16) -> Result<u16, CommandError> {
        let slot = self.slot(index.into());
        let slot = slot.ok_or(CommandError::InvalidInterrupt)?;
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

    /// As after power-on; counters go on.
    pub(super) fn reset(&self) {
        for slot in &self.slots {
            *slot.lock() = Vector::default();
        }
    }

    /// The vectors that have a handle or were ever raised.
    pub(super) fn report(&self) -> Vec<VectorReport> {
        let used = |(index, slot): (u16, &Slot)| {
            let vector = *slot.lock();
            let raises = slot.counts.read();
            if raises.raised == 0 && vector.grant == Grant::default() {
                return None;
            }
            Some(VectorReport {
                kind: if index == 0 {
                    VectorKind::Misc
                } else {
                    VectorKind::MsiX
                },
                index,
                handle: self.numbering.handle(vector.grant, index),
                message: vector.message(),
                masked: self.is_masked(&vector),
                pending: vector.pending,
                raises,
            })
        };
        (0..).zip(&self.slots).filter_map(used).collect()
    }
}

/// Which entry word `word` of the table is of, and which of its words it is.
fn entry_word(word: u64) -> (u64, usize) {
    let words = WORDS as u64;
    (word / words, usize::try_from(word % words).unwrap_or(0))
}

#[cfg(all(test, not(loom)))]
mod tests;
