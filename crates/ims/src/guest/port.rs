// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The data half: what the virtual device raises its entries with.

use alloc::sync::Arc;
use core::marker::PhantomData;

use super::entries::Entries;
use super::entry::Entry;
use crate::domain::{Counts, Raised};
use crate::message::{Message, RequesterId};
use crate::sink::{Acceptance, Answer, MessageSink, Refusal};
use crate::store::Hold;
use crate::sync::{AtomicU64, Ordering, fence};

/// Raises the entries of one virtual device, by numbers of type `I`.
///
/// # Concurrency
/// Any number of threads; no lock and no wait: a raise starts over only if the
/// guest has written its entry meanwhile. Nor does a raise allocate, but for the
/// first in a chunk of a [`super::Store`] that its guest has not touched either.
/// A clone is the same port. If the sink reads what a control half gives to others
/// after a grace period, as a remap unit does, raise and retry inside a flight of
/// that grace.
#[derive(Debug)]
pub struct Port<K, I = u32> {
    shared: Arc<Shared<K>>,
    numbers: PhantomData<fn(I)>,
}

/// What all clones of a port share.
#[derive(Debug)]
struct Shared<K> {
    entries: Entries,
    /// Raises that named no entry.
    strays: AtomicU64,
    sink: K,
    requester: RequesterId,
}

impl<K, I> Clone for Port<K, I> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            numbers: PhantomData,
        }
    }
}

/// The same port, for whoever counts in 32 bits.
impl<K> From<Port<K, u16>> for Port<K, u32> {
    fn from(port: Port<K, u16>) -> Self {
        Self {
            shared: port.shared,
            numbers: PhantomData,
        }
    }
}

impl<K, I> Port<K, I> {
    pub(crate) fn new(entries: Entries, requester: RequesterId, sink: K) -> Self {
        let shared = Shared {
            entries,
            strays: AtomicU64::new(0),
            sink,
            requester,
        };
        Self {
            shared: Arc::new(shared),
            numbers: PhantomData,
        }
    }

    /// How many entries there are.
    pub fn count(&self) -> u32 {
        self.shared.entries.count()
    }

    /// Raises that named no entry.
    pub fn strays(&self) -> u64 {
        self.shared.strays.load(Ordering::Relaxed)
    }

    /// The requester id that the messages are sent with.
    pub fn requester(&self) -> RequesterId {
        self.shared.requester
    }

    /// Where the messages go.
    pub fn sink(&self) -> &K {
        &self.shared.sink
    }

    pub(crate) fn entries(&self) -> &Entries {
        &self.shared.entries
    }
}

impl<K, I: Into<u32>> Port<K, I> {
    /// Whether `index` is kept pending: for a vector, its bit in the pending-bit
    /// array. Who sees it set sees what the raiser wrote before.
    pub fn is_pending(&self, index: I) -> bool {
        self.entry(index).is_some_and(Entry::is_pending)
    }

    /// The message that a raise of `index` would send now; `None` if it would be
    /// kept, or there is no such entry.
    pub fn message(&self, index: I) -> Option<Message> {
        self.entry(index).and_then(Entry::message)
    }

    /// What happened to `index`; `None` if there is no such entry.
    ///
    /// At quiet they add up with what the receiver has taken, as those of a domain
    /// do ([`Counts::add_up`]). A reset drops what is pending; a restore drops it
    /// too, and what it brings counts as raised and held.
    pub fn counts(&self, index: I) -> Option<Counts> {
        let index = index.into();
        match self.shared.entries.get(index) {
            Some(entry) => Some(entry.record.counts()),
            // Never touched: nothing has happened.
            None => (index < self.count()).then(Counts::default),
        }
    }

    /// The entry, if there is one and it was touched.
    #[inline]
    pub(crate) fn entry(&self, index: I) -> Option<&Entry> {
        self.shared.entries.get(index.into())
    }
}

impl<K: MessageSink, I: Into<u32>> Port<K, I> {
    /// Raises `index`. Everything the caller wrote before is visible to whoever
    /// handles the interrupt.
    ///
    /// Refused with [`Refusal::NotAllocated`] if there is no such entry; never
    /// dropped.
    #[inline]
    pub fn raise(&self, index: I) -> Raised {
        let Some(entry) = self.shared.entries.touch(index.into()) else {
            self.shared.strays.fetch_add(1, Ordering::Relaxed);
            return Raised::Refused(Refusal::NotAllocated);
        };
        entry.record.count_raised();
        self.deliver(entry)
    }

    /// Sends what was kept because the sink was busy. A sink that has become ready
    /// has this called for every entry of its senders.
    pub fn retry(&self, index: I) {
        if let Some(entry) = self.entry(index)
            && let Some(message) = entry.take_pending()
        {
            let _ = self.send(entry, message);
        }
    }
}

impl<K: MessageSink, I> Port<K, I> {
    /// Sends an interrupt that has been counted, or keeps it.
    #[inline]
    pub(crate) fn deliver(&self, entry: &Entry) -> Raised {
        loop {
            if let Some(message) = entry.message() {
                return self.send(entry, message);
            }
            match entry.hold() {
                // Unmasked between the two looks.
                Hold::Send(_) => {}
                hold => return held(entry, hold),
            }
        }
    }

    #[inline]
    fn send(&self, entry: &Entry, mut message: Message) -> Raised {
        let Shared {
            sink, requester, ..
        } = &*self.shared;
        loop {
            match sink.send(*requester, message) {
                Answer::Accepted(acceptance) => {
                    match acceptance {
                        Acceptance::Fresh => {}
                        Acceptance::Coalesced => entry.record.count_coalesced(),
                        Acceptance::HandedOver => entry.record.count_handed_over(),
                    }
                    return Raised::Sent(acceptance);
                }
                Answer::Refused(refusal) => {
                    entry.record.count_refused();
                    return Raised::Refused(refusal);
                }
                Answer::Busy => match self.keep_for_sink(entry, message) {
                    Ok(again) => message = again,
                    Err(hold) => return held(entry, hold),
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
    fn keep_for_sink(&self, entry: &Entry, message: Message) -> Result<Message, Hold> {
        let hold = entry.hold_for_sink();
        if hold != Hold::Kept {
            return Err(hold);
        }
        fence(Ordering::SeqCst);
        if !self.shared.sink.ready(self.shared.requester, message) {
            return Err(Hold::Kept);
        }
        // Nothing to take: somebody else has it, or it was masked meanwhile.
        entry.take_pending().ok_or(Hold::Kept)
    }
}

/// Counts what became of a raise that was not sent.
fn held(entry: &Entry, hold: Hold) -> Raised {
    match hold {
        Hold::Met => {
            entry.record.count_coalesced();
            Raised::Met
        }
        Hold::Kept | Hold::Send(_) => {
            entry.record.count_held();
            Raised::Held
        }
        Hold::Unowned => {
            entry.record.count_dropped();
            Raised::Dropped
        }
    }
}
