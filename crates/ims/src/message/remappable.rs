// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Remappable format: the message names an entry of the remap table.

use super::layout::{PREFIX, RemappableAddress, RemappableData};
use super::{Message, MessageError};

/// A message in remappable format (VT-d 5.1.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Remappable {
    /// The entry, or the first of a group of entries.
    pub handle: u16,
    /// Which of the group, if the message says so (SHV).
    pub subhandle: Option<u16>,
}

impl Remappable {
    /// The entry's index: the handle, plus the subhandle if there is one.
    ///
    /// It can pass 65,535; whether the table is that long is the remap unit's
    /// to check.
    #[inline]
    pub const fn index(self) -> u32 {
        match self.subhandle {
            // Two 16-bit numbers: the sum fits 17 bits.
            Some(subhandle) => self.handle as u32 + subhandle as u32,
            None => self.handle as u32,
        }
    }

    /// The message that says this. Its data is 0 without a subhandle.
    pub fn encode(self) -> Message {
        let address = RemappableAddress::new()
            .with_prefix(PREFIX)
            .with_remappable(true)
            .with_handle_14_0(self.handle & 0x7fff)
            .with_handle_15(self.handle >> 15 == 1)
            .with_subhandle_valid(self.subhandle.is_some());
        let data = RemappableData::new().with_subhandle(self.subhandle.unwrap_or(0));
        Message {
            address: address.into_bits(),
            data: data.into_bits(),
        }
    }
}

impl Message {
    /// The remappable format's content, or `None` if this is compatibility
    /// format, whose own rules are then not checked yet ([`Message::decode`]
    /// does).
    ///
    /// # Errors
    /// [`MessageError::NotInterrupt`]; for a remappable message also
    /// [`MessageError::HighHalf`] and [`MessageError::ReservedData`].
    #[inline]
    pub fn remappable(self) -> Result<Option<Remappable>, MessageError> {
        let address = RemappableAddress::from_bits(self.address);
        if address.prefix() != PREFIX {
            return Err(MessageError::NotInterrupt {
                address: self.address,
            });
        }
        if !address.remappable() {
            return Ok(None);
        }
        if address.reserved() != 0 {
            return Err(MessageError::HighHalf {
                address: self.address,
            });
        }
        let handle = address.handle_14_0() | u16::from(address.handle_15()) << 15;
        if !address.subhandle_valid() {
            return Ok(Some(Remappable {
                handle,
                subhandle: None,
            }));
        }
        let data = RemappableData::from_bits(self.data);
        if data.reserved() != 0 {
            let bits = RemappableData::new()
                .with_reserved(data.reserved())
                .into_bits();
            return Err(MessageError::ReservedData { bits });
        }
        Ok(Some(Remappable {
            handle,
            subhandle: Some(data.subhandle()),
        }))
    }
}
