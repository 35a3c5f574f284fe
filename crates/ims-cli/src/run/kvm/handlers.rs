// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a guest's handlers found, brought to the run's handlers on the vCPU's
//! thread: the guest is inside its handler until they have returned.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};

use ims::vector::CpuId;
use ims_host::Takes;
use ims_kvm::machine::Bus;

use super::vcpus::{PENDING, word};

/// The bus of a guest: its handlers' exits, and nothing else.
#[derive(Default)]
pub(super) struct Handlers {
    takes: RwLock<Option<Takes>>,
    strange: AtomicU64,
}

impl Handlers {
    /// Calls these from now on.
    pub(super) fn call(&self, takes: Takes) {
        *self.takes.write().unwrap_or_else(PoisonError::into_inner) = Some(takes);
    }

    /// Calls nobody any more; returns when the calls under way have.
    pub(super) fn end(&self) {
        *self.takes.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// How many pending bits were found that are no place's.
    pub(super) fn strange(&self) -> u64 {
        self.strange.load(Ordering::Relaxed)
    }
}

impl Bus for Handlers {
    fn taken(&self, cpu: u32, vector: u8, found: u32, bits: u64) {
        let pending = found == word(cpu, vector) && bits & PENDING != 0;
        let strange = bits.count_ones() - u32::from(pending);
        self.strange.fetch_add(strange.into(), Ordering::Relaxed);
        let takes = self.takes.read().unwrap_or_else(PoisonError::into_inner);
        if pending && let Some(takes) = &*takes {
            takes.take(CpuId(cpu), vector);
        }
    }
}
