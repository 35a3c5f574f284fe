// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What a CPU took out of its descriptor and has not finished with.
//!
//! A vector may be given to another interrupt only when nothing of the old one is
//! pending *or being handled*. The CPU says so here: before it takes anything it
//! marks every vector, then only those it took, and unmarks each as its handler
//! returns. Whoever finds a vector neither pending nor marked knows that all that
//! was posted to it before is over.

use super::descriptor::{Descriptor, Pending};
use super::layout::PIR_WORDS;
use crate::sync::{AtomicU64, Ordering};

/// The vectors that one CPU may be handling.
///
/// # Concurrency
/// The owning CPU harvests and ends; anyone may ask [`InService::is_quiet`].
#[derive(Debug)]
pub struct InService {
    words: [AtomicU64; PIR_WORDS],
}

impl Default for InService {
    fn default() -> Self {
        Self::new()
    }
}

impl InService {
    /// Nothing is being handled.
    pub fn new() -> Self {
        Self {
            words: core::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    /// Takes everything that is pending in the CPU's descriptor, if a look shows
    /// anything ([`Descriptor::harvest_if_any`]). Everything taken before must be
    /// finished.
    pub fn harvest_if_any(&self, descriptor: &Descriptor) -> Pending {
        if !descriptor.has_any() {
            return Pending::default();
        }
        self.mark_all();
        let taken = descriptor.harvest();
        self.mark(&taken);
        taken
    }

    /// Turns notifications on, and takes what is pending instead if there is
    /// anything ([`Descriptor::fall_asleep`]).
    pub fn fall_asleep(&self, descriptor: &Descriptor) -> Option<Pending> {
        self.mark_all();
        let taken = descriptor.fall_asleep();
        self.mark(&taken.unwrap_or_default());
        taken
    }

    /// The handler of `vector` has returned.
    pub fn end(&self, vector: u8) {
        if let Some(word) = self.words.get(usize::from(vector / 64)) {
            let left = word.load(Ordering::Relaxed) & !(1 << (vector % 64));
            // Release: whoever finds it quiet sees all the handler did.
            word.store(left, Ordering::Release);
        }
    }

    /// Whether nothing posted to `vector` before this call is pending or being
    /// handled. A CPU that is just harvesting is not quiet; ask again.
    pub fn is_quiet(&self, descriptor: &Descriptor, vector: u8) -> bool {
        // In this order: what has left the descriptor has been marked here.
        !descriptor.is_pending(vector)
            && self
                .words
                .get(usize::from(vector / 64))
                .is_some_and(|word| word.load(Ordering::Acquire) >> (vector % 64) & 1 == 0)
    }

    fn mark_all(&self) {
        for word in &self.words {
            word.store(u64::MAX, Ordering::Relaxed);
        }
    }

    fn mark(&self, taken: &Pending) {
        for (word, taken) in self.words.iter().zip(taken.words()) {
            // Release: a vector left out here was finished in an earlier round.
            word.store(taken, Ordering::Release);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_vector_is_quiet_when_it_is_neither_pending_nor_in_service() {
        let (descriptor, service) = (Descriptor::default(), InService::new());
        assert!(service.is_quiet(&descriptor, 0x31));
        let _ = descriptor.post(0x31, false);
        assert!(!service.is_quiet(&descriptor, 0x31));
        assert!(service.harvest_if_any(&descriptor).eq([0x31]));
        assert!(!service.is_quiet(&descriptor, 0x31));
        assert!(service.is_quiet(&descriptor, 0x32));
        service.end(0x31);
        assert!(service.is_quiet(&descriptor, 0x31));
    }

    #[test]
    fn falling_asleep_leaves_nothing_in_service() {
        let (descriptor, service) = (Descriptor::default(), InService::new());
        assert!(service.fall_asleep(&descriptor).is_none());
        assert!((0..=255).all(|vector| service.is_quiet(&descriptor, vector)));
    }
}
