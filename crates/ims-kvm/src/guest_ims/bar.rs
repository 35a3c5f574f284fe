// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which parts of the BAR an access touches.

use std::ops::Range;

use super::layout::{REMAP, SLOTS, STORE};

/// A part of the BAR.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The store's registers.
    Store,
    /// The remap unit's.
    Remap,
    /// The slots.
    Slots,
}

/// What an access of `length` bytes at `offset` touches, in order: the part, the
/// offset in it, and which bytes of the access.
pub(super) fn pieces(
    offset: u64,
    length: usize,
) -> impl Iterator<Item = (Part, u64, Range<usize>)> {
    let mut next = Some(offset);
    let mut done = 0usize;
    std::iter::from_fn(move || {
        let at = next.filter(|_| done < length)?;
        let (part, begin, end) = match at {
            ..REMAP => (Part::Store, STORE, REMAP),
            REMAP..SLOTS => (Part::Remap, REMAP, SLOTS),
            SLOTS.. => (Part::Slots, SLOTS, u64::MAX),
        };
        let left = length.saturating_sub(done);
        let room = usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX);
        // The very last byte is nowhere: it is left out.
        let piece = left.min(room);
        let bytes = done..done.saturating_add(piece);
        done = bytes.end;
        next = at.checked_add(piece as u64).filter(|_| piece > 0);
        Some((part, at.saturating_sub(begin), bytes)).filter(|_| piece > 0)
    })
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn an_access_over_several_parts_is_taken_apart() {
        let of = |offset, length| pieces(offset, length).collect::<Vec<_>>();
        assert_eq!(of(0x18, 8), [(Part::Store, 0x18, 0..8)]);
        assert_eq!(
            of(0xffe, 0x1004),
            [
                (Part::Store, 0xffe, 0..2),
                (Part::Remap, 0, 2..0x1002),
                (Part::Slots, 0, 0x1002..0x1004)
            ]
        );
        assert_eq!(of(0x2010, 16), [(Part::Slots, 0x10, 0..16)]);
        assert_eq!(of(0, 0), []);
        assert_eq!(of(u64::MAX, 4), []);
        assert_eq!(of(u64::MAX - 2, 16).len(), 1);
    }
}
