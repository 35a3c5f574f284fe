// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The 64 bytes of a portal that pieces of a descriptor come to.
//!
//! A processor stores a descriptor at once; an emulator, or a processor without
//! that instruction, in pieces.

use crate::layout::DESCRIPTOR_SIZE;

/// A descriptor, and which of its bytes have come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    bytes: [u8; DESCRIPTOR_SIZE],
    present: u64,
}

impl Slot {
    /// Nothing has come.
    pub(super) const EMPTY: Self = Self {
        bytes: [0; DESCRIPTOR_SIZE],
        present: 0,
    };

    /// `piece` comes to byte `at`. Returns the descriptor when it is whole. A piece
    /// that brings a byte again begins a new descriptor: the old one was given up.
    pub(super) fn put(&mut self, at: usize, piece: &[u8]) -> Option<[u8; DESCRIPTOR_SIZE]> {
        let place = self.bytes.get_mut(at..)?.get_mut(..piece.len())?;
        let mut fresh = self.present;
        for bit in at..at + piece.len() {
            if self.present >> bit & 1 != 0 {
                fresh = 0;
            }
        }
        place.copy_from_slice(piece);
        for bit in at..at + piece.len() {
            fresh |= 1 << bit;
        }
        let whole = fresh == u64::MAX;
        self.present = if whole { 0 } else { fresh };
        whole.then_some(self.bytes)
    }
}
