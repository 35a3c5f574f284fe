// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What engines count.
//!
//! Each engine has counters of its own on lines of its own and is the only one
//! to write them, so that counting costs it a store.

use std::sync::atomic::{AtomicU64, Ordering};

use ims::sync::Padded;

use crate::layout::Status;

/// Status codes are six bits.
const STATUSES: usize = 64;

/// The counters of one engine.
#[derive(Debug)]
pub(crate) struct Counters {
    descriptors: AtomicU64,
    bytes: AtomicU64,
    records: AtomicU64,
    interrupts: AtomicU64,
    interrupts_lost: AtomicU64,
    abandoned: AtomicU64,
    statuses: [AtomicU64; STATUSES],
}

/// One engine's counters, apart from the others'.
pub(crate) type EngineCounters = Padded<Counters>;

impl Default for Counters {
    fn default() -> Self {
        Self {
            descriptors: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            records: AtomicU64::new(0),
            interrupts: AtomicU64::new(0),
            interrupts_lost: AtomicU64::new(0),
            abandoned: AtomicU64::new(0),
            statuses: [const { AtomicU64::new(0) }; STATUSES],
        }
    }
}

/// Adds without a locked instruction: there is one writer.
fn add(counter: &AtomicU64, amount: u64) {
    let sum = counter.load(Ordering::Relaxed).wrapping_add(amount);
    counter.store(sum, Ordering::Relaxed);
}

impl Counters {
    pub(crate) fn ended(&self, status: Status, bytes: u64) {
        add(&self.descriptors, 1);
        add(&self.bytes, bytes);
        if let Some(counter) = self.statuses.get(usize::from(status.code())) {
            add(counter, 1);
        }
    }

    /// Descriptors ended and bytes transferred so far.
    pub(crate) fn work(&self) -> (u64, u64) {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (get(&self.descriptors), get(&self.bytes))
    }

    pub(crate) fn recorded(&self) {
        add(&self.records, 1);
    }

    pub(crate) fn interrupted(&self, raised: bool) {
        add(
            if raised {
                &self.interrupts
            } else {
                &self.interrupts_lost
            },
            1,
        );
    }

    pub(crate) fn abandoned(&self) {
        add(&self.abandoned, 1);
    }
}

/// What a device did since it was made.
///
/// Read while engines work, the numbers are each right but not of one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statistics {
    /// Descriptors that ended, those in batches included.
    pub descriptors: u64,
    /// Bytes transferred or compared.
    pub bytes: u64,
    /// Completion records written.
    pub records: u64,
    /// Completion interrupts raised.
    pub interrupts: u64,
    /// Completion interrupts whose handle was revoked before they were raised.
    pub interrupts_lost: u64,
    /// Descriptors given up at an abort while they were being executed.
    pub abandoned: u64,
    statuses: [u64; STATUSES],
}

impl Statistics {
    /// How many descriptors ended with `status`.
    pub fn ended_with(&self, status: Status) -> u64 {
        self.statuses
            .get(usize::from(status.code()))
            .copied()
            .unwrap_or(0)
    }

    pub(crate) fn sum<'a>(engines: impl Iterator<Item = &'a EngineCounters>) -> Self {
        let mut sum = Self {
            descriptors: 0,
            bytes: 0,
            records: 0,
            interrupts: 0,
            interrupts_lost: 0,
            abandoned: 0,
            statuses: [0; STATUSES],
        };
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        for Padded(engine) in engines {
            sum.descriptors += get(&engine.descriptors);
            sum.bytes += get(&engine.bytes);
            sum.records += get(&engine.records);
            sum.interrupts += get(&engine.interrupts);
            sum.interrupts_lost += get(&engine.interrupts_lost);
            sum.abandoned += get(&engine.abandoned);
            for (total, counter) in sum.statuses.iter_mut().zip(&engine.statuses) {
                *total += get(counter);
            }
        }
        sum
    }
}
