// SPDX-License-Identifier: Apache-2.0 OR MIT
//! One entry of the Interrupt Message Store, and its 16 bytes.

use ims::message::Message;

use super::handle::Grant;
use crate::layout::tables::{IMS_CONTROL, IMS_DATA, IMS_ENTRY_SIZE, ImsControl};

/// Bytes of an entry.
pub(super) const SIZE: usize = 16;
const _: () = assert!(IMS_ENTRY_SIZE == SIZE as u64);

/// What an entry holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) message: Message,
    pub(super) control: ImsControl,
    pub(super) grant: Grant,
}

impl Default for Entry {
    fn default() -> Self {
        Self {
            message: Message::default(),
            control: ImsControl::new().with_mask(true),
            grant: Grant::default(),
        }
    }
}

impl Entry {
    /// Its 16 bytes as software reads them.
    pub(super) fn bytes(&self) -> [u8; SIZE] {
        let words = u128::from(self.message.address)
            | u128::from(self.message.data) << (8 * IMS_DATA)
            | u128::from(u32::from(self.control)) << (8 * IMS_CONTROL);
        words.to_le_bytes()
    }

    /// Takes the bytes that software may write.
    pub(super) fn set_bytes(&mut self, bytes: [u8; SIZE]) {
        let [address @ .., d0, d1, d2, d3, c0, c1, c2, c3] = bytes;
        let control = ImsControl::from(u32::from_le_bytes([c0, c1, c2, c3]));
        self.message = Message {
            address: u64::from_le_bytes(address),
            data: u32::from_le_bytes([d0, d1, d2, d3]),
        };
        self.control = ImsControl::new()
            .with_mask(control.mask())
            .with_pending(self.control.pending())
            .with_ignore(control.ignore())
            .with_pasid_enable(control.pasid_enable())
            .with_pasid(control.pasid());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read_but_for_reserved_bits_and_the_pending_one(
            bytes: [u8; SIZE], pending: bool,
        ) {
            let mut entry = Entry::default();
            entry.control.set_pending(pending);
            entry.set_bytes(bytes);
            let mut expected = bytes;
            // Control: mask, ignore, PASID enable, PASID; pending is the device's.
            expected[12] = bytes[12] & 0b1101 | u8::from(pending) << 1;
            expected[13] &= 0xf0;
            prop_assert_eq!(entry.bytes(), expected);
            let address: [u8; 8] = bytes[..8].try_into().unwrap();
            prop_assert_eq!(entry.message.address, u64::from_le_bytes(address));
        }
    }
}
