// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The unit's modes: what VT-d keeps in GSTS_REG (IRES, CFIS) and IRTA_REG
//! (EIME, S), in one word that the data half reads once a message.

use super::entry::ApicMode;
use super::layout::{MAX_ENTRIES, MIN_ENTRIES};
use crate::sync::{AtomicU32, Ordering};
use bitfield_struct::bitfield;

/// How a unit treats requests.
///
/// `Modes::new()` is a unit after reset: remapping off, two entries.
/// [`Modes::x2apic`] one that remaps everything.
#[bitfield(u32)]
#[derive(PartialEq, Eq)]
pub struct Modes {
    /// IRE: requests are remapped.
    pub remapping: bool,
    /// EIME: destinations have 32 bits (x2APIC) instead of 8 (xAPIC).
    pub extended: bool,
    /// CFIS: compatibility format passes. Never with EIME.
    pub compatibility: bool,
    /// The platform demands remapping: without it every request is blocked.
    pub remapping_required: bool,
    /// The platform demands EIME: remapping without it blocks every request.
    pub extended_required: bool,
    /// S: the table has 2^(S+1) entries.
    #[bits(4)]
    pub size: u8,
    #[bits(23)]
    __: u32,
}

impl Modes {
    /// Remapping on, x2APIC destinations, compatibility format blocked, and a
    /// table of at least `entries` (rounded up to a power of two; at most
    /// [`MAX_ENTRIES`]).
    pub fn x2apic(entries: u32) -> Self {
        Self::new()
            .with_remapping(true)
            .with_extended(true)
            .with_entries(entries)
    }

    /// The same with a table of at least `entries`.
    pub fn with_entries(self, entries: u32) -> Self {
        let entries = entries.clamp(MIN_ENTRIES, MAX_ENTRIES).next_power_of_two();
        // At most 16 - 1, for there are at most 2^16 entries.
        self.with_size((entries.trailing_zeros() & 0x1f).saturating_sub(1) as u8)
    }

    /// How many entries the table has.
    #[inline]
    pub const fn entries(self) -> u32 {
        2 << self.size()
    }

    /// How entries lay out destinations.
    #[inline]
    pub const fn apic_mode(self) -> ApicMode {
        if self.extended() {
            ApicMode::X2apic
        } else {
            ApicMode::Xapic
        }
    }
}

/// Modes that one thread sets and any number read.
#[derive(Debug)]
pub(super) struct SharedModes(AtomicU32);

impl SharedModes {
    pub(super) fn new(modes: Modes) -> Self {
        Self(AtomicU32::new(modes.into_bits()))
    }

    /// What the control half did before it set these modes is visible.
    #[inline]
    pub(super) fn load(&self) -> Modes {
        Modes::from_bits(self.0.load(Ordering::Acquire))
    }

    pub(super) fn store(&self, modes: Modes) {
        self.0.store(modes.into_bits(), Ordering::Release);
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_two_to_the_s_plus_one_entries() {
        for (asked, given) in [
            (0, 2),
            (2, 2),
            (3, 4),
            (4096, 4096),
            (65_535, 65_536),
            (u32::MAX, 65_536),
        ] {
            let modes = Modes::new().with_entries(asked);
            assert_eq!(modes.entries(), given);
            assert_eq!(2u32.pow(u32::from(modes.size()) + 1), given);
        }
    }
}
