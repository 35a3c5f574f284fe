// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Interrupt handles: how an entry's is numbered, and whether it is good.
//!
//! ```text
//!    15        bits     0     of a table with 2^bits entries
//!    ┌──────────┬───────┐
//!    │ round    │ index │     round 0 at first; the next one after a revocation,
//!    └──────────┴───────┘     so that the revoked handle names nothing
//! ```
//!
//! Without the commands for handles, a handle is an index (3.7).

use super::permission::Permission;
use crate::client::Pasid;
use crate::layout::command::CommandError;

/// A handle that names no entry, or one that its submitter may not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotValid;

/// How the handles of one table are numbered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Numbering {
    entries: u32,
    bits: u32,
    /// Handles are good only if they were asked for.
    by_request: bool,
}

/// An entry's handle.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Grant {
    round: u16,
    granted: bool,
}

impl Numbering {
    /// For a table of `entries` entries, at most 65,536.
    pub(super) fn new(entries: u32, by_request: bool) -> Self {
        Self {
            entries,
            bits: entries.next_power_of_two().trailing_zeros(),
            by_request,
        }
    }

    /// The entry that `handle` can only be of.
    pub(super) fn index(&self, handle: u16) -> Option<u16> {
        let index = if self.by_request {
            u32::from(handle) & !(u32::MAX << self.bits)
        } else {
            handle.into()
        };
        let index = Some(index).filter(|index| *index < self.entries)?;
        u16::try_from(index).ok()
    }

    /// Whether `handle` is the good one of entry `index`.
    pub(super) fn names(&self, grant: Grant, index: u16, handle: u16) -> bool {
        if self.by_request {
            grant.granted && handle == self.number(grant, index)
        } else {
            handle == index
        }
    }

    /// Whether `submitter` may name entry `index` by `handle`.
    pub(super) fn admit(
        &self,
        grant: Grant,
        permission: Permission,
        index: u16,
        handle: u16,
        submitter: Option<Pasid>,
    ) -> Result<(), NotValid> {
        if self.names(grant, index, handle) && permission.admits(submitter) {
            Ok(())
        } else {
            Err(NotValid)
        }
    }

    /// The handle that is good now, if there is one.
    pub(super) fn handle(&self, grant: Grant, index: u16) -> Option<u16> {
        (grant.granted || !self.by_request).then(|| self.number(grant, index))
    }

    fn number(&self, grant: Grant, index: u16) -> u16 {
        // A table of 65,536 has no bits left for rounds.
        grant.round.checked_shl(self.bits).unwrap_or(0) | index
    }

    /// Gives entry `index` a handle, or says the one it has.
    pub(super) fn request(&self, grant: &mut Grant, index: u16) -> u16 {
        grant.granted = true;
        self.number(*grant, index)
    }

    /// Takes entry `index`'s handle back.
    pub(super) fn release(
        &self,
        grant: &mut Grant,
        index: u16,
        handle: u16,
    ) -> Result<(), CommandError> {
        if !self.names(*grant, index, handle) {
            return Err(CommandError::InvalidInterrupt);
        }
        grant.granted = false;
        Ok(())
    }
}

impl From<NotValid> for CommandError {
    fn from(NotValid: NotValid) -> Self {
        Self::InvalidInterrupt
    }
}

impl Grant {
    /// The handle is taken away, and is not given out again soon. Says whether
    /// there was one.
    pub(super) fn revoke(&mut self) -> bool {
        let was = std::mem::take(&mut self.granted);
        if was {
            self.round = self.round.wrapping_add(1);
        }
        was
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn without_the_commands_a_handle_is_an_index() {
        let numbering = Numbering::new(9, false);
        let grant = Grant::default();
        assert_eq!(numbering.index(8), Some(8));
        assert_eq!(numbering.index(9), None);
        assert!(numbering.names(grant, 8, 8) && !numbering.names(grant, 8, 7));
    }

    #[test]
    fn the_first_handles_are_the_indices() {
        let numbering = Numbering::new(9, true);
        let mut grant = Grant::default();
        assert!(!numbering.names(grant, 3, 3), "nobody asked for it");
        assert_eq!(numbering.request(&mut grant, 3), 3);
        assert_eq!(numbering.request(&mut grant, 3), 3);
        let other = numbering.release(&mut grant, 3, 4);
        assert_eq!(other, Err(CommandError::InvalidInterrupt));
        numbering.release(&mut grant, 3, 3).unwrap();
        assert!(!numbering.names(grant, 3, 3));
        assert_eq!(numbering.request(&mut grant, 3), 3);
    }

    #[test]
    fn the_largest_tables_have_handles() {
        for entries in [1, 256, 2048, 16_128, 65_536] {
            let numbering = Numbering::new(entries, true);
            let index = u16::try_from(entries - 1).unwrap();
            let mut grant = Grant::default();
            let handle = numbering.request(&mut grant, index);
            assert_eq!(numbering.index(handle), Some(index));
            assert!(numbering.names(grant, index, handle));
        }
    }

    proptest! {
        #[test]
        fn a_revoked_handle_is_not_the_next_one_and_the_next_is_of_the_same_entry(
            entries in 1u32..=16_128, at in any::<prop::sample::Index>(), rounds in 1u8..40,
        ) {
            let numbering = Numbering::new(entries, true);
            let index = u16::try_from(at.index(entries as usize)).unwrap();
            let mut grant = Grant::default();
            let mut last = numbering.request(&mut grant, index);
            for _ in 0..rounds {
                prop_assert!(grant.revoke() && !grant.revoke());
                prop_assert!(!numbering.names(grant, index, last));
                let next = numbering.request(&mut grant, index);
                prop_assert_ne!(next, last);
                prop_assert_eq!(numbering.index(next), Some(index));
                prop_assert!(numbering.names(grant, index, next));
                prop_assert!(!numbering.names(grant, index, last));
                last = next;
            }
        }
    }
}
