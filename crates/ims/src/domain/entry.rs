// SPDX-License-Identifier: Apache-2.0 OR MIT
//! What the control half knows of one interrupt, in 32 bytes.

use super::affinity::AffinityId;
use super::space::Virq;
use super::{DomainKey, SpaceId};

/// Proof of an allocation: names one interrupt, and never another that comes to
/// have its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[must_use = "an interrupt whose token is lost cannot be freed"]
pub struct Interrupt {
    pub(super) virq: u32,
    pub(super) generation: u32,
}

impl Interrupt {
    /// Its host-wide number.
    pub fn virq(self) -> Virq {
        Virq(self.virq)
    }
}

/// Allocated, and not yet freed.
pub(super) const LIVE: u8 = 1 << 0;
/// Its slot holds a message.
pub(super) const ACTIVE: u8 = 1 << 1;
/// It has a CPU and a vector.
pub(super) const PLACED: u8 = 1 << 2;
/// Its owner wants it masked.
pub(super) const MASKED: u8 = 1 << 3;
/// Its affinity is managed.
pub(super) const MANAGED: u8 = 1 << 4;
/// It has a reservation in the matrix.
pub(super) const RESERVED: u8 = 1 << 5;
/// It was activated, but no CPU of its affinity is online.
pub(super) const SHUT: u8 = 1 << 6;
/// It belongs to a group.
pub(super) const GROUPED: u8 = 1 << 7;

/// One interrupt.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) domain: DomainKey,
    pub(super) index: u32,
    pub(super) generation: u32,
    pub(super) affinity: AffinityId,
    pub(super) cpu: u32,
    pub(super) space: SpaceId,
    pub(super) handle: u16,
    pub(super) vector: u8,
    pub(super) flags: u8,
    /// Targets of this interrupt that are not yet given back.
    pub(super) retiring: u8,
}

impl Entry {
    pub(super) fn is(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    pub(super) fn set(&mut self, flag: u8, on: bool) {
        if on {
            self.flags |= flag;
        } else {
            self.flags &= !flag;
        }
    }
}
