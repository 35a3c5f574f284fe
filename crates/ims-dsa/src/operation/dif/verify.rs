// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Checking the source's DIFs.

use crate::layout::{Descriptor, DifMismatch, SourceDif, Tags, Tuple};

/// Checks one DIF after the other.
#[derive(Debug)]
pub(super) struct Verifier {
    flags: SourceDif,
    /// Of the next block.
    tags: Tags,
}

impl Verifier {
    pub(super) fn new(descriptor: &Descriptor) -> Self {
        Self {
            flags: descriptor.dif().source,
            tags: descriptor.source_tags(),
        }
    }

    /// Checks the DIF of a block whose guard should be `guard`.
    pub(super) fn verify(&self, guard: u16, found: &Tuple) -> Result<(), DifMismatch> {
        let flags = self.flags;
        let application_f = found.application.get() == u16::MAX;
        let tags_f = application_f && found.reference.get() == u32::MAX;
        let all_f = tags_f && found.guard.get() == u16::MAX;
        if flags.all_f() && all_f && flags.all_f_is_error() {
            return Err(DifMismatch::new().with_all_f(true));
        }
        let escapes = flags.application_f() && application_f
            || flags.tags_f() && tags_f
            || flags.all_f() && all_f;
        if escapes {
            return Ok(());
        }
        let tags = self.tags;
        let differing = (found.application.get() ^ tags.application()) & !tags.mask();
        let mismatch = DifMismatch::new()
            .with_guard(!flags.guard_unchecked() && found.guard.get() != guard)
            .with_application(differing != 0)
            .with_reference(
                !flags.reference_unchecked() && found.reference.get() != tags.reference(),
            );
        if mismatch == DifMismatch::new() {
            Ok(())
        } else {
            Err(mismatch)
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
