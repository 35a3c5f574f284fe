// SPDX-License-Identifier: Apache-2.0 OR MIT
//! The guard: CRC-16 of a block, polynomial 0x8bb7, highest bit first (T10
//! SBC-3, 4.22.4).

use crc::{CRC_16_T10_DIF, Crc, Table};

use crate::layout::GeneralDif;

/// Tables for 16 bytes at a time: 8 KiB, made when compiled.
static T10_DIF: Crc<u16, Table<16>> = Crc::<u16, Table<16>>::new(&CRC_16_T10_DIF);

/// How the guards of an operation are computed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Guard {
    seed: u16,
    inverted: u16,
}

impl Guard {
    pub(super) fn new(flags: GeneralDif) -> Self {
        let ones = |set| if set { u16::MAX } else { 0 };
        Self {
            seed: ones(flags.invert_seed()),
            inverted: ones(flags.invert_result()),
        }
    }

    /// The guard of `block`.
    pub(super) fn of(self, block: &[u8]) -> u16 {
        let mut digest = T10_DIF.digest_with_initial(self.seed);
        digest.update(block);
        digest.finalize() ^ self.inverted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_guard_of_the_usual_vectors() {
        let guard = Guard::new(GeneralDif::new());
        // The check value of CRC-16/T10-DIF, and the examples of SBC-3.
        assert_eq!(guard.of(b"123456789"), 0xd0db);
        assert_eq!(guard.of(&[0; 32]), 0);
        assert_eq!(guard.of(&[0xff; 32]), 0xa293);
        let ascending: Vec<u8> = (0..32).collect();
        assert_eq!(guard.of(&ascending), 0x0224);
        let mut ones = [0; 32];
        ones[..2].fill(0xff);
        assert_eq!(guard.of(&ones), 0x21b8);
    }

    /// Bit by bit.
    fn reference(seed: u16, block: &[u8]) -> u16 {
        block.iter().fold(seed, |crc, byte| {
            (0..8).fold(crc ^ u16::from(*byte) << 8, |crc, _| {
                if crc >> 15 == 1 {
                    crc << 1 ^ 0x8bb7
                } else {
                    crc << 1
                }
            })
        })
    }

    proptest! {
        #[test]
        fn seed_and_result_are_inverted_on_request(
            block in prop::collection::vec(any::<u8>(), 0..600), seed: bool, result: bool,
        ) {
            let flags = GeneralDif::new().with_invert_seed(seed).with_invert_result(result);
            let crc = reference(if seed { 0xffff } else { 0 }, &block);
            prop_assert_eq!(Guard::new(flags).of(&block), if result { !crc } else { crc });
        }
    }
}
