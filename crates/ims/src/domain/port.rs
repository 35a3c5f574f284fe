// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A domain's data half: what the device raises its interrupts with.

use alloc::sync::Arc;

use super::record::{Counts, Record};
use crate::grace::Flight;
use crate::message::{Message, RequesterId};
use crate::segments::Segments;
use crate::sink::{Acceptance, Answer, MessageSink, Refusal};
use crate::store::{Contents, Direct, Hold, Pasid, SlotRef, Slots};
use crate::sync::{AtomicU64, Ordering, fence};

/// Raises, masks and unmasks the interrupts of one domain.
///
/// # Concurrency
/// Any number of threads, each with a [`Flight`] of its own; no lock, no
/// allocation, no wait. A clone is the same port.
#[derive(Debug)]
pub struct Port<S, K> {
    slots: S,
    sink: K,
    requester: RequesterId,
    shared: Arc<Shared>,
}

/// What all clones of a port share.
#[derive(Debug, Default)]
struct Shared {
    records: Segments<Record>,
    /// Raises that named no allocated interrupt.
    strays: AtomicU64,
}

/// What became of a raise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a refused raise is the device's to report"]
pub enum Raised {
    /// The sink has it.
    Sent(Acceptance),
    /// It is kept pending: the slot is masked, or the sink busy.
    Held,
    /// It met one that is kept pending.
    Met,
    /// Nothing will come of it.
    Refused(Refusal),
    /// The interrupt was freed at the same time; nothing will come of it.
    Dropped,
}

impl<S: Clone, K: Clone> Clone for Port<S, K> {
    fn clone(&self) -> Self {
        Self {
            slots: self.slots.clone(),
            sink: self.sink.clone(),
            requester: self.requester,
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<S: Slots, K: MessageSink> Port<S, K> {
    pub(crate) fn new(slots: S, sink: K, requester: RequesterId) -> Self {
        Self {
            slots,
            sink,
            requester,
            shared: Arc::default(),
        }
    }

    /// Raises interrupt `index` from the copy of its slot that `engine` has, on
    /// behalf of `submitter`.
    ///
    /// Everything the caller wrote before is visible to the handler.
    #[inline]
    pub fn raise(
        &self,
        _flight: &Flight<'_>,
        engine: u32,
        index: u32,
        submitter: Option<Pasid>,
    ) -> Raised {
        let Some((record, contents)) = self.find(engine, index) else {
            self.shared.strays.fetch_add(1, Ordering::Relaxed);
            return Raised::Refused(Refusal::NotAllocated);
        };
        record.count_raised();
        if contents.sends() && contents.admits(submitter) {
            self.send(record, engine, index, contents.message)
        } else {
            self.raise_unsent(record, engine, index, contents, submitter)
        }
    }

    /// Whether `submitter` may name interrupt `index`: for a device that checks
    /// before it works.
    ///
    /// # Errors
    /// [`Refusal::NotAllocated`] or [`Refusal::Pasid`].
    pub fn check(&self, engine: u32, index: u32, submitter: Option<Pasid>) -> Result<(), Refusal> {
        self.live(index).ok_or(Refusal::NotAllocated)?;
        // The slot itself: a cached copy is good inside a flight only.
        let slot = self
            .slots
            .slot(index, engine)
            .ok_or(Refusal::NotAllocated)?;
        if slot.load().admits(submitter) {
            Ok(())
        } else {
            Err(Refusal::Pasid)
        }
    }

    /// Sends what was kept because the sink was busy. A sink that has become
    /// ready has this called for every interrupt of its senders.
    pub fn retry(&self, _flight: &Flight<'_>, index: u32) {
        let Some(record) = self.live(index) else {
            return;
        };
        for engine in 0..self.slots.copies() {
            let taken = self
                .slots
                .slot(index, engine)
                .and_then(|slot| slot.take_pending());
            if let Some(message) = taken {
                let _ = self.send(record, engine, index, message);
            }
        }
    }

    /// How many indices the port knows; for walking over them.
    pub fn indices(&self) -> u64 {
        self.shared.records.capacity()
    }

    /// What happened to interrupt `index` since it was allocated.
    pub fn counts(&self, index: u32) -> Option<Counts> {
        self.live(index).map(Record::counts)
    }

    /// Raises that named no allocated interrupt.
    pub fn strays(&self) -> u64 {
        self.shared.strays.load(Ordering::Relaxed)
    }

    /// Whether interrupt `index` is kept pending in any copy of its slot.
    pub fn is_pending(&self, index: u32) -> bool {
        (0..self.slots.copies()).any(|engine| {
            self.slots
                .slot(index, engine)
                .is_some_and(|slot| slot.is_pending())
        })
    }

    /// The slots behind the port.
    pub fn slots(&self) -> &S {
        &self.slots
    }

    #[inline]
    fn live(&self, index: u32) -> Option<&Record> {
        // Validity comes from the allocation, never from control bits.
        self.shared
            .records
            .get(index)
            .filter(|record| record.is_live())
    }

    #[inline]
    fn find(&self, engine: u32, index: u32) -> Option<(&Record, Contents)> {
        Some((self.live(index)?, self.slots.fetch(index, engine)?))
    }

    /// A raise whose slot does not send, or does not admit the submitter.
    #[cold]
    fn raise_unsent(
        &self,
        record: &Record,
        engine: u32,
        index: u32,
        contents: Contents,
        submitter: Option<Pasid>,
    ) -> Raised {
        if !contents.admits(submitter) {
            record.count_refused();
            return Raised::Refused(Refusal::Pasid);
        }
        match self.slots.slot(index, engine).map(|slot| slot.hold()) {
            Some(Hold::Send(message)) => self.send(record, engine, index, message),
            Some(hold) => held(record, hold),
            None => held(record, Hold::Unowned),
        }
    }

    #[inline]
    fn send(&self, record: &Record, engine: u32, index: u32, mut message: Message) -> Raised {
        loop {
            match self.sink.send(self.requester, message) {
                Answer::Accepted(acceptance) => {
                    match acceptance {
                        Acceptance::Fresh => {}
                        Acceptance::Coalesced => record.count_coalesced(),
                        Acceptance::HandedOver => record.count_handed_over(),
                    }
                    return Raised::Sent(acceptance);
                }
                Answer::Refused(refusal) => {
                    record.count_refused();
                    return Raised::Refused(refusal);
                }
                Answer::Busy => match self.keep_for_sink(engine, index, message) {
                    Ok(again) => message = again,
                    Err(hold) => return held(record, hold),
                },
            }
        }
    }

    /// Keeps what a busy sink did not take, unless it is ready by now: then the
    /// message comes back to be sent again.
    ///
    /// The pending bit is set before the sink is asked again, and a sink becomes
    /// ready before it has pending interrupts retried: one of the two sees the
    /// other.
    #[cold]
    fn keep_for_sink(&self, engine: u32, index: u32, message: Message) -> Result<Message, Hold> {
        let slot = self.slots.slot(index, engine).ok_or(Hold::Unowned)?;
        let hold = slot.hold_for_sink();
        if hold != Hold::Kept {
            return Err(hold);
        }
        fence(Ordering::SeqCst);
        if !self.sink.ready(self.requester, message) {
            return Err(Hold::Kept);
        }
        // Nothing to take: somebody else has it, or the slot was masked meanwhile.
        slot.take_pending().ok_or(Hold::Kept)
    }

    /// Delivers a kept raise that an unmask has taken out of the slot.
    pub(crate) fn replay(&self, _flight: &Flight<'_>, index: u32) {
        let Some(record) = self.shared.records.get(index) else {
            return;
        };
        if !record.is_live() {
            // Freed since: it goes with its interrupt.
            record.count_dropped();
            return;
        }
        let Some(slot) = self.slots.slot(index, 0) else {
            return;
        };
        // As if it were raised now: masked again meanwhile, it is kept anew, and
        // not beside an unmask that has just gone by.
        let _ = match slot.hold() {
            Hold::Send(message) => self.send(record, 0, index, message),
            hold => held(record, hold),
        };
    }

    /// Counts a kept raise that met one kept in another copy.
    pub(crate) fn merged(&self, index: u32) {
        if let Some(record) = self.shared.records.get(index) {
            record.count_coalesced();
        }
    }

    /// Counts a kept raise that went with its interrupt.
    pub(crate) fn dropped(&self, index: u32) {
        if let Some(record) = self.shared.records.get(index) {
            record.count_dropped();
        }
    }

    pub(crate) fn open(&self, index: u32) {
        self.shared
            .records
            .grow(index.saturating_add(1), |_| Record::default());
        if let Some(record) = self.shared.records.get(index) {
            record.open();
        }
    }

    pub(crate) fn close(&self, index: u32) {
        if let Some(record) = self.shared.records.get(index) {
            record.close();
        }
    }

    /// The counts of an interrupt that is closed and quiet; they are forgotten.
    pub(crate) fn take_counts(&self, index: u32) -> Counts {
        self.shared
            .records
            .get(index)
            .map(Record::take_counts)
            .unwrap_or_default()
    }
}

impl<S: Direct, K: MessageSink> Port<S, K> {
    /// Masks interrupt `index` at once: raises that start after this are kept.
    pub fn mask(&self, index: u32) {
        for engine in 0..self.slots.copies() {
            if let Some(slot) = self.slots.slot(index, engine) {
                slot.mask();
            }
        }
    }

    /// Unmasks interrupt `index`, and delivers what was kept, once.
    pub fn unmask(&self, flight: &Flight<'_>, index: u32) {
        let kept = (0..self.slots.copies())
            .filter_map(|engine| self.slots.slot(index, engine))
            .filter(SlotRef::unmask)
            .count();
        for _ in 1..kept {
            self.merged(index);
        }
        if kept > 0 {
            self.replay(flight, index);
        }
    }
}

/// Counts what became of a raise that was not sent.
fn held(record: &Record, hold: Hold) -> Raised {
    match hold {
        Hold::Met => {
            record.count_coalesced();
            Raised::Met
        }
        Hold::Unowned => {
            record.count_dropped();
            Raised::Dropped
        }
        Hold::Kept | Hold::Send(_) => {
            record.count_held();
            Raised::Held
        }
    }
}
