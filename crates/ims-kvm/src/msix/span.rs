// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Which vectors an access of a guest touches.

use std::ops::Range;

use ims::msix::layout::ENTRY_BYTES;

/// Vectors in a byte of the pending-bit array.
const VECTORS_IN_BYTE: u64 = 8;

/// The vectors whose table entries have bytes among `length` from `offset` on.
pub(super) fn of_table(offset: u64, length: usize, vectors: u16) -> Range<u32> {
    let end = offset.saturating_add(length as u64);
    clamped(offset / ENTRY_BYTES..end.div_ceil(ENTRY_BYTES), vectors)
}

/// The vectors whose pending bits are in the `length` bytes from `offset` on.
pub(super) fn of_pba(offset: u64, length: usize, vectors: u16) -> Range<u32> {
    let end = offset.saturating_add(length as u64);
    let first = offset.saturating_mul(VECTORS_IN_BYTE);
    clamped(first..end.saturating_mul(VECTORS_IN_BYTE), vectors)
}

fn clamped(numbers: Range<u64>, vectors: u16) -> Range<u32> {
    // What does not fit is beyond the last vector anyway.
    let clamp =
        |number| u32::try_from(number).map_or(u32::from(vectors), |n| n.min(vectors.into()));
    let (start, end) = (clamp(numbers.start), clamp(numbers.end));
    start..end.max(start)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_access_touches_the_entries_it_has_bytes_of() {
        assert_eq!(of_table(0, 4, 8), 0..1);
        assert_eq!(of_table(12, 4, 8), 0..1);
        assert_eq!(of_table(12, 5, 8), 0..2, "straddles");
        assert_eq!(of_table(16, 8, 8), 1..2);
        assert_eq!(of_table(0, 0, 8), 0..0);
        assert_eq!(of_table(7 * 16, 64, 8), 7..8, "beyond the end");
        assert!(of_table(u64::MAX, 8, 8).is_empty());
        assert_eq!(of_pba(1, 1, 100), 8..16);
        assert_eq!(of_pba(8, 8, 100), 64..100);
        assert!(of_pba(16, 8, 100).is_empty());
        assert!(of_pba(u64::MAX, usize::MAX, 100).is_empty());
    }

    proptest! {
        #[test]
        fn every_byte_counts_and_no_other(
            offset in 0u64..200, length in 1usize..80, vectors in 1u16..=10,
        ) {
            let bytes = offset..offset + length as u64;
            let touched: Vec<u32> = (0..u32::from(vectors))
                .filter(|&v| bytes.clone().any(|at| at / 16 == u64::from(v)))
                .collect();
            prop_assert_eq!(of_table(offset, length, vectors).collect::<Vec<_>>(), touched);
            let touched: Vec<u32> = (0..u32::from(vectors))
                .filter(|&v| bytes.clone().any(|at| at == u64::from(v) / 8))
                .collect();
            prop_assert_eq!(of_pba(offset, length, vectors).collect::<Vec<_>>(), touched);
        }
    }
}
