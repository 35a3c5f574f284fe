// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Sources of interrupts: bits in guest memory, and what handlers counted of them.

use std::sync::atomic::{AtomicU64, Ordering};

use super::layout::{Layout, block};
use super::{Machine, VECTORS};

impl Machine {
    /// From now on the handler of `vector` on `cpu` scans `count` words of sources
    /// from the `first`-th. It had no list before, and found nothing.
    ///
    /// A list ends with the last word there is. Handlers at work may still use the
    /// list before; vectors outside [`VECTORS`] have none.
    pub fn scan(&self, cpu: u32, vector: u8, first: u32, count: u32) {
        if cpu >= self.config.vcpus || !VECTORS.contains(&vector) {
            return;
        }
        let first = first.min(self.config.words);
        let count = count.min(self.config.words - first);
        let list = u64::from(count) << 32 | u64::from(first);
        self.shared
            .memory
            .store(Layout::of_vector(cpu, block::SCAN, vector), list);
    }

    /// Sets the bit of a source; whether it was clear. Then send the interrupt.
    /// False of a source there is none of.
    pub fn post(&self, source: u32) -> bool {
        let bit = 1 << (source % 64);
        self.word(source)
            .is_some_and(|word| word.fetch_or(bit, Ordering::SeqCst) & bit == 0)
    }

    /// Whether the bit of a source is set.
    ///
    /// If it is not, and then [`Machine::in_handler`] is false of all that scan it,
    /// then every post before is counted.
    pub fn is_posted(&self, source: u32) -> bool {
        let bit = 1 << (source % 64);
        self.word(source)
            .is_some_and(|word| word.load(Ordering::SeqCst) & bit != 0)
    }

    /// How often handlers found the bit of a source.
    pub fn taken(&self, source: u32) -> u64 {
        if source / 64 >= self.config.words {
            return 0;
        }
        self.shared.memory.load(self.layout.taken(source))
    }

    /// How often the handler of `vector` ran on `cpu`.
    pub fn interrupts(&self, cpu: u32, vector: u8) -> u64 {
        self.of_vector(cpu, block::INTERRUPTS, vector)
    }

    /// How often it found nothing.
    pub fn empty(&self, cpu: u32, vector: u8) -> u64 {
        self.of_vector(cpu, block::EMPTY, vector)
    }

    /// Whether the handler of `vector` is at work on `cpu`: from before it takes
    /// bits until they are counted, told, and the interrupt is ended.
    pub fn in_handler(&self, cpu: u32, vector: u8) -> bool {
        self.of_vector(cpu, block::IN_HANDLER, vector) != 0
    }

    fn word(&self, source: u32) -> Option<&AtomicU64> {
        let word = source / 64;
        if word >= self.config.words {
            return None;
        }
        self.shared.memory.field(self.layout.word(word))
    }

    fn of_vector(&self, cpu: u32, field: u64, vector: u8) -> u64 {
        if cpu >= self.config.vcpus {
            return 0;
        }
        let at = Layout::of_vector(cpu, field, vector);
        self.shared.memory.load(at)
    }
}
