// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Handlers by host-wide interrupt number.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwapOption;
use ims::domain::{SpaceId, Virq};
use ims::segments::Segments;
use ims::vector::CpuId;

/// An interrupt as its handler sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// Its host-wide number.
    pub virq: Virq,
    /// The space of the CPU that took it.
    pub space: SpaceId,
    /// The CPU that took it, by its number in its space.
    pub cpu: CpuId,
    /// The vector it came by.
    pub vector: u8,
}

/// Called by the soft CPU that took an interrupt.
///
/// It must not wait for the host to become quiet, for that waits for it. A
/// handler that panics is counted and its CPU goes on.
pub trait Handler: Send + Sync {
    /// Handles one interrupt.
    fn handle(&self, taken: Taken);
}

impl<F: Fn(Taken) + Send + Sync> Handler for F {
    fn handle(&self, taken: Taken) {
        self(taken);
    }
}

/// One number's handler, and how often it was called.
#[derive(Default)]
struct Entry {
    handler: ArcSwapOption<Box<dyn Handler>>,
    taken: AtomicU64,
}

/// The handlers of a host.
///
/// # Concurrency
/// CPUs call while the control half registers and removes; one that is removed
/// has been found quiet before.
#[derive(Default)]
pub(crate) struct Handlers {
    entries: Segments<Entry>,
}

impl Handlers {
    /// Registers `handler` for a number whose last owner is gone.
    pub(crate) fn register(&self, Virq(virq): Virq, handler: Arc<Box<dyn Handler>>) {
        self.entries
            .grow(virq.saturating_add(1), |_| Entry::default());
        if let Some(entry) = self.entries.get(virq) {
            entry.taken.store(0, Ordering::Relaxed);
            entry.handler.store(Some(handler));
        }
    }

    /// Removes a handler; says how often it was called.
    pub(crate) fn remove(&self, Virq(virq): Virq) -> u64 {
        self.entries.get(virq).map_or(0, |entry| {
            entry.handler.store(None);
            entry.taken.swap(0, Ordering::Relaxed)
        })
    }

    /// Calls the handler; says whether there is one.
    pub(crate) fn call(&self, taken: Taken) -> bool {
        let Some(entry) = self.entries.get(taken.virq.0) else {
            return false;
        };
        let handler = entry.handler.load();
        let Some(handler) = &*handler else {
            return false;
        };
        entry.taken.fetch_add(1, Ordering::Relaxed);
        handler.handle(taken);
        true
    }

    /// How often a handler was called.
    pub(crate) fn taken(&self, Virq(virq): Virq) -> u64 {
        self.entries
            .get(virq)
            .map_or(0, |entry| entry.taken.load(Ordering::Relaxed))
    }
}
