// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A message read: one of the two formats.

use super::{Addressing, Compatibility, Message, MessageError, Remappable};

/// What a message says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// It names CPUs and a vector.
    Compatibility(Compatibility),
    /// It names an entry of the remap table.
    Remappable(Remappable),
}

impl Format {
    /// The message that says this; `addressing` matters to the compatibility
    /// format alone.
    ///
    /// # Errors
    /// [`MessageError::DestinationTooWide`].
    pub fn encode(&self, addressing: Addressing) -> Result<Message, MessageError> {
        match self {
            Self::Compatibility(compatibility) => compatibility.encode(addressing),
            Self::Remappable(remappable) => Ok(remappable.encode()),
        }
    }
}

impl Message {
    /// Reads the message; address bits 1:0 are ignored.
    ///
    /// # Errors
    /// Every [`MessageError`] but [`MessageError::DestinationTooWide`].
    pub fn decode(self, addressing: Addressing) -> Result<Format, MessageError> {
        match self.remappable()? {
            Some(remappable) => Ok(Format::Remappable(remappable)),
            None => Compatibility::decode(self, addressing).map(Format::Compatibility),
        }
    }
}
