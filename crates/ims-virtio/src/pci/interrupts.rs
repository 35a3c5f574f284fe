// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which vector each event has, and how it gets to the driver.

use std::sync::atomic::{AtomicU16, Ordering};

use super::status::{Status, Way};
use crate::layout::pci::{NO_VECTOR, isr};
use crate::line::Line;
use crate::notifier::{Event, Notify};
use crate::vectors::Vectors;

/// The interrupts of one function.
///
/// # Concurrency
/// All methods on any thread; none takes a lock.
pub(super) struct Interrupts<V, L> {
    status: Status<L>,
    config: AtomicU16,
    queues: Box<[AtomicU16]>,
    vectors: V,
}

impl<V: Vectors, L: Line> Interrupts<V, L> {
    pub(super) fn new(queues: u16, vectors: V, line: L) -> Self {
        Self {
            status: Status::new(line),
            config: AtomicU16::new(NO_VECTOR),
            queues: (0..queues).map(|_| AtomicU16::new(NO_VECTOR)).collect(),
            vectors,
        }
    }

    /// Interrupt status.
    pub(super) fn status(&self) -> &Status<L> {
        &self.status
    }

    fn place(&self, event: Event) -> Option<&AtomicU16> {
        match event {
            Event::Used(queue) => self.queues.get(usize::from(queue)),
            Event::Config => Some(&self.config),
        }
    }

    /// The event's vector.
    pub(super) fn vector(&self, event: Event) -> u16 {
        let place = self.place(event);
        place.map_or(NO_VECTOR, |place| place.load(Ordering::Relaxed))
    }

    /// Gives the event a vector, or none if that is not to be had: the driver reads
    /// it back.
    pub(super) fn set_vector(&self, event: Event, vector: u16) {
        let vector = if vector < self.vectors.count() {
            vector
        } else {
            NO_VECTOR
        };
        if let Some(place) = self.place(event) {
            place.store(vector, Ordering::Relaxed);
        }
    }

    /// Nothing has a vector, and no event is let through.
    pub(super) fn reset(&self) {
        self.status.close();
        for place in self.queues.iter().chain([&self.config]) {
            place.store(NO_VECTOR, Ordering::Relaxed);
        }
    }
}

impl<V: Vectors, L: Line> Notify for Interrupts<V, L> {
    fn notify(&self, event: Event) {
        let bit = match event {
            Event::Used(_) => isr::QUEUE,
            Event::Config => isr::CONFIG,
        };
        let Some(place) = self.place(event) else {
            return;
        };
        if self.status.raise(bit) == Way::Vector {
            let vector = place.load(Ordering::Relaxed);
            // Without a vector the driver does not want to be told.
            if vector != NO_VECTOR {
                self.vectors.raise(vector);
            }
        }
    }
}
