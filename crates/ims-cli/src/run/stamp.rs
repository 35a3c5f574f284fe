// SPDX-License-Identifier: Apache-2.0 OR MIT
//! When an interrupt was raised, so that its handler can tell how long it took.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ims_dsa::{Handle, Interrupts, InvalidHandle, Pasid};

/// For each index of a store, when it was first raised since it was last taken.
pub(super) struct Stamps {
    start: Instant,
    raised: Vec<AtomicU64>,
}

impl Stamps {
    pub(super) fn new(count: u32) -> Self {
        let raised = (0..count).map(|_| AtomicU64::new(0)).collect();
        Self {
            start: Instant::now(),
            raised,
        }
    }

    fn now(&self) -> u64 {
        // 0 says that nothing is raised.
        u64::try_from(self.start.elapsed().as_nanos())
            .unwrap_or(u64::MAX)
            .max(1)
    }

    fn raise(&self, index: u32) {
        if let Some(stamp) = self.raised.get(index as usize) {
            // A later raise that meets an earlier one waits as long as that.
            let _ = stamp.compare_exchange(0, self.now(), Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// How long it took from the raise to now.
    pub(super) fn taken(&self, index: u32) -> Option<Duration> {
        let raised = self.raised.get(index as usize)?.swap(0, Ordering::Relaxed);
        (raised != 0).then(|| Duration::from_nanos(self.now().saturating_sub(raised)))
    }

    /// Forgets a raise that will not be taken: its index goes to somebody else.
    pub(super) fn forget(&self, index: u32) {
        if let Some(stamp) = self.raised.get(index as usize) {
            stamp.store(0, Ordering::Relaxed);
        }
    }
}

/// A device's interrupts, stamped as they are raised.
pub(super) struct Stamped<I> {
    interrupts: I,
    stamps: Arc<Stamps>,
}

impl<I> Stamped<I> {
    pub(super) fn new(interrupts: I, stamps: Arc<Stamps>) -> Self {
        Self { interrupts, stamps }
    }
}

impl<I: Interrupts> Interrupts for Stamped<I> {
    type Raiser = I::Raiser;

    fn raiser(&self) -> I::Raiser {
        self.interrupts.raiser()
    }

    fn check(&self, handle: Handle, pasid: Option<Pasid>) -> Result<(), InvalidHandle> {
        self.interrupts.check(handle, pasid)
    }

    fn raise(
        &self,
        raiser: &mut I::Raiser,
        engine: u32,
        handle: Handle,
        pasid: Option<Pasid>,
    ) -> Result<(), InvalidHandle> {
        self.stamps.raise(handle.number.into());
        self.interrupts.raise(raiser, engine, handle, pasid)
    }
}
