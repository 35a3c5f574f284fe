// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Accesses of any size and alignment, taken apart into 64-bit words.
//!
//! An access that lies in one aligned word touches that word once, so that it
//! takes effect, or is read, as a whole. Public, for whoever shows registers beside
//! what this crate shows.

/// Some bytes of a 64-bit word that are to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lanes {
    value: u64,
    mask: u64,
}

impl Lanes {
    /// The word with these bytes written.
    pub fn merge(self, word: u64) -> u64 {
        word & !self.mask | self.value
    }
}

/// The byte of its word at which an access begins.
fn lane(offset: u64) -> usize {
    (offset % 8) as usize
}

/// Reads bytes from `offset`; `word` gives the 64-bit words by number, `None`
/// where there is none, which reads as zero.
pub fn read(offset: u64, into: &mut [u8], word: impl Fn(u64) -> Option<u64>) {
    let mut next = Some(offset);
    let mut left = into;
    while !left.is_empty() {
        let Some(offset) = next else {
            // Beyond the last byte that an offset can name.
            left.fill(0);
            return;
        };
        let lane = lane(offset);
        let length = (8 - lane).min(left.len());
        let Some((piece, rest)) = left.split_at_mut_checked(length) else {
            return;
        };
        let bytes = word(offset / 8).unwrap_or(0).to_le_bytes();
        for (into, byte) in piece.iter_mut().zip(bytes.iter().skip(lane)) {
            *into = *byte;
        }
        left = rest;
        next = offset.checked_add(length as u64);
    }
}

/// Writes bytes from `offset`; `write` is called for each 64-bit word of the first
/// `words` that they touch, in order. What lies behind is ignored.
pub fn write(offset: u64, from: &[u8], words: u64, mut write: impl FnMut(u64, Lanes)) {
    let mut next = Some(offset);
    let mut left = from;
    while let Some(offset) = next.filter(|offset| offset / 8 < words && !left.is_empty()) {
        let lane = lane(offset);
        let length = (8 - lane).min(left.len());
        let Some((piece, rest)) = left.split_at_checked(length) else {
            return;
        };
        let (mut value, mut mask) = ([0; 8], [0; 8]);
        let lanes = value.iter_mut().zip(mask.iter_mut()).skip(lane);
        for ((value, mask), byte) in lanes.zip(piece) {
            (*value, *mask) = (*byte, 0xff);
        }
        let lanes = Lanes {
            value: u64::from_le_bytes(value),
            mask: u64::from_le_bytes(mask),
        };
        write(offset / 8, lanes);
        left = rest;
        next = offset.checked_add(length as u64);
    }
}

#[cfg(all(test, not(loom)))]
#[allow(clippy::cast_possible_truncation, clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn word_of(bytes: &[u8], number: u64) -> Option<u64> {
        let at = usize::try_from(number).ok()?.checked_mul(8)?;
        let bytes = bytes.get(at..at + 8)?;
        Some(u64::from_le_bytes(bytes.try_into().unwrap()))
    }

    proptest! {
        #[test]
        fn bytes_are_read_and_written_where_they_lie(
            memory in prop::collection::vec(any::<u8>(), 32),
            offset in 0u64..48,
            data in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let at = offset as usize;
            let expected: Vec<u8> =
                (at..at + data.len()).map(|at| memory.get(at).copied().unwrap_or(0)).collect();
            let mut into = vec![0xaa; data.len()];
            read(offset, &mut into, |number| word_of(&memory, number));
            prop_assert_eq!(into, expected);

            let mut written = memory.clone();
            let mut order = Vec::new();
            write(offset, &data, 4, |number, lanes| {
                order.push(number);
                let at = number as usize * 8;
                let merged = lanes.merge(word_of(&written, number).unwrap());
                written[at..at + 8].copy_from_slice(&merged.to_le_bytes());
            });
            let mut plain = memory.clone();
            for (at, byte) in (at..).zip(&data) {
                if let Some(to) = plain.get_mut(at) {
                    *to = *byte;
                }
            }
            prop_assert_eq!(written, plain);
            prop_assert!(order.is_sorted_by(|a, b| a < b), "each word once, in order");
        }
    }

    #[test]
    fn the_end_of_all_offsets_is_not_passed() {
        let mut into = [0xaa; 16];
        read(u64::MAX - 3, &mut into, |_| Some(u64::MAX));
        assert_eq!(into[..4], [0xff; 4]);
        assert_eq!(into[4..], [0; 12]);
        let mut touched = Vec::new();
        write(u64::MAX - 3, &[1; 16], u64::MAX, |number, _| {
            touched.push(number);
        });
        assert_eq!(touched, [u64::MAX / 8]);
    }
}
