// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Fill (8.3.5): an 8-byte pattern, repeated.

use super::{Outcome, count, length};
use crate::layout::Descriptor;
use crate::memory::{Access, AddressSpace};
use crate::transfer::{CHUNK, window};

pub(super) fn execute(descriptor: &Descriptor, space: &dyn AddressSpace) -> Outcome {
    let length = length(descriptor);
    let pattern = Pattern::new(descriptor.source.get());
    let mut done = 0;
    while done < length {
        let wanted = (length - done).min(CHUNK);
        let base = descriptor.destination.get();
        match window(space, base, done, wanted, Access::Write) {
            Ok(piece) => {
                piece.copy_from(pattern.at(done, piece.len()));
                done += piece.len();
            }
            Err(fault) => return Outcome::faulted(fault, count(done)),
        }
    }
    Outcome::done(descriptor.size.get())
}

/// A pattern repeated over a page and one pattern more, so that a page of it
/// can start at any of its bytes.
pub(super) struct Pattern([u8; CHUNK + 8]);

impl Pattern {
    pub(super) fn new(pattern: u64) -> Self {
        let mut bytes = [0; CHUNK + 8];
        for part in bytes.chunks_exact_mut(8) {
            part.copy_from_slice(&pattern.to_le_bytes());
        }
        Self(bytes)
    }

    /// The `length` bytes (a page at most) that lie `offset` into a transfer.
    pub(super) fn at(&self, offset: usize, length: usize) -> &[u8] {
        let start = offset % 8;
        self.0
            .get(start..start + length.min(CHUNK))
            .unwrap_or_default()
    }
}
