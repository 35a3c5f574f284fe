// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The data half: what the virtual device raises its vectors with.

use alloc::boxed::Box;
use alloc::sync::Arc;

use super::entry::Entry;
use crate::domain::{Counts, Raised};
use crate::message::{Message, RequesterId};
use crate::sink::{Acceptance, Answer, MessageSink, Refusal};
use crate::store::Hold;
use crate::sync::{AtomicU64, Ordering, fence};

/// Raises the vectors of one virtual device.
///
/// # Concurrency
/// Any number of threads; no lock, no allocation, no wait: a raise starts over only
/// if the guest has written its entry meanwhile. A clone is the same port. If the
/// sink reads what a control half gives to others after a grace period, as a remap
/// unit does, raise and retry inside a flight of that grace.
#[derive(Debug)]
pub struct MsixPort<K> {
    shared: Arc<Shared<K>>,
}

/// What all clones of a port share.
#[derive(Debug)]
struct Shared<K> {
    entries: Box<[Entry]>,
    /// Raises that named no vector.
    strays: AtomicU64,
    sink: K,
    requester: RequesterId,
}

impl<K> Clone for MsixPort<K> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<K> MsixPort<K> {
    pub(super) fn new(vectors: u16, requester: RequesterId, sink: K) -> Self {
        let shared = Shared {
            entries: (0..vectors).map(|_| Entry::new()).collect(),
            strays: AtomicU64::new(0),
            sink,
            requester,
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Whether `vector` is kept pending: its bit in the pending-bit array. Who sees
    /// it set sees what the raiser wrote before.
    pub fn is_pending(&self, vector: u16) -> bool {
        self.entry(vector).is_some_and(Entry::is_pending)
    }

    /// What happened to `vector`; `None` if there is no such vector.
    ///
    /// At quiet they add up with what the receiver has taken, as those of a domain
    /// do ([`Counts::add_up`]). A reset drops what is pending; a restore drops it
    /// too, and what it brings counts as raised and held.
    pub fn counts(&self, vector: u16) -> Option<Counts> {
        self.entry(vector).map(|entry| entry.record.counts())
    }

    /// Raises that named no vector.
    pub fn strays(&self) -> u64 {
        self.shared.strays.load(Ordering::Relaxed)
    }

    /// The requester id that the messages are sent with.
    pub fn requester(&self) -> RequesterId {
        self.shared.requester
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.shared.entries
    }

    #[inline]
    pub(super) fn entry(&self, vector: u16) -> Option<&Entry> {
        self.shared.entries.get(usize::from(vector))
    }
}

impl<K: MessageSink> MsixPort<K> {
    /// Raises `vector`. Everything the caller wrote before is visible to whoever
    /// handles the interrupt.
    ///
    /// Refused with [`Refusal::NotAllocated`] if there is no such vector; never
    /// dropped.
    #[inline]
    pub fn raise(&self, vector: u16) -> Raised {
        let Some(entry) = self.entry(vector) else {
            self.shared.strays.fetch_add(1, Ordering::Relaxed);
            return Raised::Refused(Refusal::NotAllocated);
        };
        entry.record.count_raised();
        self.deliver(entry)
    }

    /// Sends what was kept because the sink was busy. A sink that has become ready
    /// has this called for every vector of its senders.
    pub fn retry(&self, vector: u16) {
        if let Some(entry) = self.entry(vector)
            && let Some(message) = entry.take_pending()
        {
            let _ = self.send(entry, message);
        }
    }

    /// Sends an interrupt that has been counted, or keeps it.
    #[inline]
    pub(super) fn deliver(&self, entry: &Entry) -> Raised {
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
