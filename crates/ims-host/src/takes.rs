// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a CPU does with a vector it took: finds whose it is, calls the handler,
//! counts.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ims::domain::{Dispatch, SpaceId};
use ims::vector::CpuId;

use crate::handler::{Handlers, Taken};

/// What happened on one CPU. Aligned, for CPUs count at the same time.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(crate) struct CpuCounts {
    pub(crate) taken: AtomicU64,
    pub(crate) spurious: AtomicU64,
    pub(crate) panicked: AtomicU64,
    pub(crate) slept: AtomicU64,
}

/// Where the CPUs of one space take their interrupts to. A clone is the same.
///
/// It knows the handlers, and neither the host nor the CPUs: whoever runs CPUs may
/// keep it as long as they run, and the host goes all the same.
///
/// # Concurrency
/// CPUs take at the same time; one CPU takes one vector after the other.
#[derive(Clone)]
pub struct Takes {
    space: SpaceId,
    counts: Arc<[CpuCounts]>,
    dispatch: Dispatch,
    handlers: Arc<Handlers>,
}

impl core::fmt::Debug for Takes {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Takes")
            .field("space", &self.space)
            .field("cpus", &self.counts.len())
            .finish_non_exhaustive()
    }
}

impl Takes {
    pub(crate) fn new(
        space: SpaceId,
        cpus: u32,
        dispatch: Dispatch,
        handlers: Arc<Handlers>,
    ) -> Self {
        Self {
            space,
            counts: (0..cpus).map(|_| CpuCounts::default()).collect(),
            dispatch,
            handlers,
        }
    }

    pub(crate) fn counts(&self, cpu: CpuId) -> Option<&CpuCounts> {
        self.counts.get(cpu.0 as usize)
    }

    /// `cpu` took `vector`: calls the handler of the interrupt that is there, on
    /// this thread, and returns when it has. Whatever the handler does, this
    /// returns: a panic is counted.
    ///
    /// Says whether there was a handler; if not, it is counted as spurious. A CPU
    /// that the space does not have takes nothing.
    pub fn take(&self, cpu: CpuId, vector: u8) -> bool {
        let Some(counts) = self.counts(cpu) else {
            return false;
        };
        let called = self.dispatch.virq(cpu, vector).is_some_and(|virq| {
            let taken = Taken {
                virq,
                space: self.space,
                cpu,
                vector,
            };
            catch_unwind(AssertUnwindSafe(|| self.handlers.call(taken))).unwrap_or_else(|_| {
                counts.panicked.fetch_add(1, Ordering::Relaxed);
                tracing::error!(virq = virq.0, "interrupt handler panicked");
                true
            })
        });
        let count = if called {
            &counts.taken
        } else {
            &counts.spurious
        };
        count.fetch_add(1, Ordering::Relaxed);
        called
    }
}
