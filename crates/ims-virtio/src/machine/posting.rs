// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A device whose events leave a bit in guest memory before they interrupt.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ims_vfio::Hold;
use vm_memory::{Address, GuestAddress, GuestMemoryBackend, GuestMemoryRegion, VolatileMemory};

use super::BoardMemory;
use crate::device::{Device, Setup, StartError};
use crate::notifier::{Event, Notifier, Notify};

/// The words of pending bits, one an event, of which the first bit is used.
#[derive(Debug)]
pub(super) struct Posts {
    memory: BoardMemory,
    words: u64,
    /// How often each was set anew. The last is configuration's.
    counts: Vec<AtomicU64>,
}

impl Posts {
    /// Words from `words` on.
    pub(super) fn new(memory: BoardMemory, words: u64, queues: u16) -> Self {
        let counts = (0..=queues).map(|_| AtomicU64::new(0)).collect();
        Self {
            memory,
            words,
            counts,
        }
    }

    /// How often the bit of a queue was set anew.
    pub(super) fn count(&self, queue: u16) -> u64 {
        let count = self.counts.get(usize::from(queue));
        count.map_or(0, |count| count.load(Ordering::SeqCst))
    }

    fn post(&self, event: Event) {
        let word = match event {
            Event::Used(queue) => usize::from(queue),
            Event::Config => self.counts.len().saturating_sub(1),
        };
        let (Some(count), Some(bits)) = (self.counts.get(word), self.word(word)) else {
            return;
        };
        // Counted before it can be taken, or a reader could find more taken.
        count.fetch_add(1, Ordering::SeqCst);
        if bits.fetch_or(1, Ordering::SeqCst) & 1 != 0 {
            count.fetch_sub(1, Ordering::SeqCst);
        }
    }

    fn word(&self, word: usize) -> Option<&AtomicU64> {
        let at = self.words.checked_add(u64::try_from(word).ok()? * 8)?;
        let region = self.memory.find_region(GuestAddress(at))?;
        let offset = at.checked_sub(region.start_addr().raw_value())?;
        region.get_atomic_ref(usize::try_from(offset).ok()?).ok()
    }
}

/// A device that posts.
#[derive(Debug)]
pub(super) struct Posting<D> {
    device: Arc<D>,
    posts: Arc<Posts>,
}

impl<D> Posting<D> {
    /// `device`, whose events are posted.
    pub(super) fn new(device: Arc<D>, posts: Arc<Posts>) -> Self {
        Self { device, posts }
    }
}

/// Posts, then goes on to the transport.
struct Before {
    posts: Arc<Posts>,
    then: Notifier,
}

impl Notify for Before {
    fn notify(&self, event: Event) {
        self.posts.post(event);
        match event {
            Event::Used(queue) => self.then.used(queue),
            Event::Config => self.then.config_changed(),
        }
    }

    fn needs_reset(&self) {
        self.then.needs_reset();
    }
}

impl<D: Device<BoardMemory>> Device<BoardMemory> for Posting<D> {
    fn id(&self) -> u32 {
        self.device.id()
    }

    fn features(&self) -> u64 {
        self.device.features()
    }

    fn queues(&self) -> &[u16] {
        self.device.queues()
    }

    fn read_config(&self, offset: u64, into: &mut [u8]) {
        self.device.read_config(offset, into);
    }

    fn write_config(&self, offset: u64, from: &[u8]) {
        self.device.write_config(offset, from);
    }

    fn config_generation(&self) -> u32 {
        self.device.config_generation()
    }

    fn start(&self, mut setup: Setup<BoardMemory>) -> Result<(), StartError> {
        setup.notifier = Notifier::new(Arc::new(Before {
            posts: Arc::clone(&self.posts),
            then: setup.notifier,
        }));
        self.device.start(setup)
    }

    fn notify(&self, queue: u16) {
        self.device.notify(queue);
    }

    fn stop(&self, hold: Hold) {
        self.device.stop(hold);
    }
}
