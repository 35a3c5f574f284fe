// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The data half: from an event to its vector.

use std::collections::BTreeMap;
use std::sync::Arc;

use ims::guest::Port;
use ims::sink::MessageSink;
use ims::sync::{AtomicU32, Ordering};

use crate::interrupts::{Messages, STATUS};
use crate::layout::NO_VECTOR;
use crate::layout::mmio::{INTERRUPT_CONFIG, INTERRUPT_USED};
use crate::notifier::Event;

/// Raises vectors. A clone is the same port.
#[derive(Debug)]
pub(crate) struct MsiPort<K> {
    pub(super) port: Port<K>,
    map: Arc<Map>,
}

impl<K> Clone for MsiPort<K> {
    fn clone(&self) -> Self {
        Self {
            port: self.port.clone(),
            map: Arc::clone(&self.map),
        }
    }
}

/// Which vector an event has; the configuration's is first.
///
/// A raiser that reads a number while it is changed takes either; what the vector
/// does is in the store.
#[derive(Debug)]
struct Map(Box<[AtomicU32]>);

/// The place of an event in the map.
fn place(event: Event) -> usize {
    match event {
        Event::Config => 0,
        Event::Used(queue) => usize::from(queue).saturating_add(1),
    }
}

impl<K> MsiPort<K> {
    pub(super) fn new(port: Port<K>, queues: u16) -> Self {
        let map = (0..=queues).map(|_| AtomicU32::new(NO_VECTOR)).collect();
        let map = Arc::new(Map(map));
        Self { port, map }
    }

    pub(super) fn map(&self, event: Event, vector: u32) {
        if let Some(entry) = self.map.0.get(place(event)) {
            entry.store(vector, Ordering::Relaxed);
        }
    }

    pub(super) fn mapped(&self) -> impl ExactSizeIterator<Item = u32> {
        self.map.0.iter().map(|entry| entry.load(Ordering::Relaxed))
    }

    /// What events the vectors that keep an interrupt stand for, as InterruptStatus. One
    /// that no event has any more was some event's when it was raised: it stands for
    /// all.
    pub(super) fn kept(&self) -> u32 {
        let mut bits = BTreeMap::new();
        for (place, vector) in self.mapped().enumerate() {
            *bits.entry(vector).or_default() |= if place == 0 {
                INTERRUPT_CONFIG
            } else {
                INTERRUPT_USED
            };
        }
        let kept = (0..self.port.count()).filter(|&vector| self.port.is_pending(vector));
        kept.fold(0, |all, vector| {
            all | bits.get(&vector).copied().unwrap_or(STATUS)
        })
    }
}

impl<K: MessageSink + Send + Sync> Messages for MsiPort<K> {
    fn tell(&self, event: Event) -> bool {
        if let Some(vector) = self.vector(event) {
            // What became of it is in the vector's counts.
            let _ = self.port.raise(vector);
        }
        true
    }

    fn vector(&self, event: Event) -> Option<u32> {
        let entry = self.map.0.get(place(event))?;
        let vector = entry.load(Ordering::Relaxed);
        (vector != NO_VECTOR).then_some(vector)
    }

    fn retry(&self, vector: u32) {
        self.port.retry(vector);
    }
}
