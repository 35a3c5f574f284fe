// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One CPU's vectors.

use super::VectorMap;

/// One CPU's vectors and how many of them are what: 80 bytes.
///
/// The counts are kept, not derived; [`Matrix::check`](super::Matrix::check)
/// compares them with the maps.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CpuMap {
    pub(super) alloc_map: VectorMap,
    pub(super) managed_map: VectorMap,
    pub(super) available: u16,
    pub(super) allocated: u16,
    pub(super) managed: u16,
    pub(super) managed_allocated: u16,
    pub(super) initialized: bool,
    pub(super) online: bool,
}

impl CpuMap {
    /// The vectors in use.
    pub fn alloc_map(&self) -> &VectorMap {
        &self.alloc_map
    }

    /// The vectors held for managed interrupts, in use or not.
    pub fn managed_map(&self) -> &VectorMap {
        &self.managed_map
    }

    /// How many vectors an unmanaged interrupt could still get; 0 before the CPU
    /// was first online.
    pub fn available(&self) -> u16 {
        self.available
    }

    /// How many vectors are in use, by managed interrupts or others.
    pub fn allocated(&self) -> u16 {
        self.allocated
    }

    /// How many vectors are held for managed interrupts, in use or not.
    pub fn managed(&self) -> u16 {
        self.managed
    }

    /// How many vectors managed interrupts use.
    pub fn managed_allocated(&self) -> u16 {
        self.managed_allocated
    }

    /// Whether the CPU takes interrupts.
    pub fn is_online(&self) -> bool {
        self.online
    }

    /// The lowest of `usable` that is neither in use nor held.
    #[inline]
    pub(super) fn first_free(&self, usable: VectorMap) -> Option<u8> {
        (usable & !(self.alloc_map | self.managed_map)).first()
    }

    /// The lowest vector that is held for managed interrupts and not in use.
    pub(super) fn first_idle_managed(&self) -> Option<u8> {
        (self.managed_map & !self.alloc_map).first()
    }

    /// Whether `vector` is in use or held.
    pub(super) fn has(&self, vector: u8) -> bool {
        self.alloc_map.contains(vector) || self.managed_map.contains(vector)
    }
}
