// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Masks of IMS-backed vectors, and what they keep.

use super::super::report::{BackedReport, SlotReport};
use super::{BackedVectors, Vector};

impl BackedVectors {
    /// Masks the vector, or unmasks it and delivers what was kept, once.
    pub(in crate::irqs) fn set_masked(&mut self, vector: u32, masked: bool) {
        let vector = self.vectors.entry(vector).or_default();
        vector.masked = masked;
        let Some(assigned) = &vector.assigned else {
            return;
        };
        if let Some(slot) = &assigned.slot {
            slot.backed.set_masked(masked);
        }
        if !masked && std::mem::take(&mut vector.owed) {
            assigned.wire.signal_unheld();
        }
    }

    /// What there is to say of the vector.
    pub(in crate::irqs) fn report(&self, vector: u32) -> BackedReport {
        let Some(vector) = self.vectors.get(&vector) else {
            return BackedReport::default();
        };
        BackedReport {
            triggered: vector.assigned.is_some(),
            masked: vector.masked,
            pending: vector.is_pending(),
            slot: vector.slot().map(|slot| SlotReport {
                index: slot.backed.index(),
                target: slot.backed.target(),
                counts: slot.backed.counts(),
            }),
        }
    }

    /// Whether an interrupt of the vector is kept.
    pub(in crate::irqs) fn is_pending(&self, vector: u32) -> bool {
        self.vectors.get(&vector).is_some_and(Vector::is_pending)
    }
}
