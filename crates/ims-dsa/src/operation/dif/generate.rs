// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Making the destination's DIFs.

use zerocopy::big_endian::{U16, U32};

use crate::layout::{Descriptor, DestinationDif, Tags, Tuple};

/// Makes one DIF after the other.
#[derive(Debug)]
pub(super) struct Generator {
    flags: DestinationDif,
    /// Of the next block.
    tags: Tags,
}

impl Generator {
    pub(super) fn new(descriptor: &Descriptor) -> Self {
        Self {
            flags: descriptor.dif().destination,
            tags: descriptor.destination_tags(),
        }
    }

    /// The DIF of a block with `guard`, which had `source` where it comes from.
    pub(super) fn tuple(&self, guard: u16, source: &Tuple) -> Tuple {
        let (flags, tags) = (self.flags, self.tags);
        Tuple {
            guard: if flags.guard_passes() {
                source.guard
            } else {
                U16::new(guard)
            },
            application: if flags.application_passes() {
                source.application
            } else {
                U16::new(tags.application() & !tags.mask())
            },
            reference: if flags.reference_passes() {
                source.reference
            } else {
                U32::new(tags.reference())
            },
        }
    }

    /// Goes on to the next block.
    pub(super) fn advance(&mut self) {
        let flags = self.flags;
        self.tags = self
            .tags
            .following(flags.application_increments(), !flags.reference_fixed());
    }

    /// The tags of the next block, as a record has them.
    pub(super) fn next(&self) -> u64 {
        self.tags.into()
    }
}
