// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The two waits before anything is given to anyone else (law 4): until no raiser
//! can still hold the old entry, then until the old target is quiet.
//!
//! ```text
//!   move ──────────────────────────────▶ away ── grace ──▶ leaving ── quiet ──▶ given back
//!   free ── slot cleared ── grace ── entry cleared ──▲
//! ```
//!
//! One grace period serves all that wait for it, so each costs little.

use alloc::vec::Vec;

use crate::grace::{Grace, Ticket};
use crate::vector::CpuId;

use super::SpaceId;

/// A target, or a whole interrupt, on its way to being given back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Retiree {
    pub(super) virq: u32,
    /// A CPU's vector that it held.
    pub(super) target: Option<OldTarget>,
    /// The remap entry that leads, or led, to the target. Hardware must have let go
    /// of its old value before anything is given back.
    pub(super) handle: Option<u16>,
    /// The remap entry goes with it.
    pub(super) freed: bool,
}

/// A CPU's vector that an interrupt was moved away from.
#[derive(Debug, Clone, Copy)]
pub(super) struct OldTarget {
    pub(super) space: SpaceId,
    pub(super) cpu: CpuId,
    pub(super) vector: u8,
    pub(super) managed: bool,
}

/// Those that wait for one grace period, and those that come too late for it.
#[derive(Debug, Default)]
pub(super) struct Stage {
    late: Vec<Retiree>,
    waiting: Vec<Retiree>,
    ticket: Ticket,
}

impl Stage {
    pub(super) fn push(&mut self, retiree: Retiree) {
        self.late.push(retiree);
    }

    pub(super) fn len(&self) -> usize {
        self.late.len() + self.waiting.len()
    }

    /// Moves those whose grace period has passed to `passed`.
    pub(super) fn advance(&mut self, grace: &Grace, passed: &mut Vec<Retiree>) {
        // Twice: those that came too late for the last period may find the next
        // one over at once.
        for _ in 0..2 {
            if !self.waiting.is_empty() {
                if !self.ticket.has_passed() {
                    return;
                }
                passed.append(&mut self.waiting);
            }
            if self.late.is_empty() {
                return;
            }
            core::mem::swap(&mut self.late, &mut self.waiting);
            self.ticket = grace.ticket();
        }
    }
}

/// Everything on its way to being given back.
#[derive(Debug, Default)]
pub(super) struct Retired {
    /// Freed; their remap entries are still present.
    pub(super) cleared: Stage,
    /// Unreachable for anyone who comes now.
    pub(super) away: Stage,
    /// Unreachable for anyone; their targets may not be quiet yet.
    pub(super) leaving: Vec<Retiree>,
}

impl Retired {
    pub(super) fn len(&self) -> usize {
        self.cleared.len() + self.away.len() + self.leaving.len()
    }
}
