// SPDX-License-Identifier: Apache-2.0 OR MIT
//! Compatibility format: the message names CPUs and a vector itself.

use super::layout::{CompatibilityAddress, CompatibilityData, PREFIX};
use super::{DeliveryMode, Destination, Message, MessageError};

/// Which destination bits an address has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Addressing {
    /// 8 bits: address 19:12.
    #[default]
    Xapic,
    /// 15 bits: address 11:5 carry destination 14:8 (`KVM_FEATURE_MSI_EXT_DEST_ID`).
    Extended,
    /// 32 bits: address 63:40 carry destination 31:8 (`KVM_CAP_X2APIC_API`).
    X2apic,
}

/// How an interrupt is signalled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Trigger {
    /// Each message is an interrupt.
    #[default]
    Edge,
    /// Messages change a level.
    Level {
        /// The level rises rather than falls.
        assert: bool,
    },
}

/// A message in compatibility format (SDM Vol. 3, 12.11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Compatibility {
    /// The CPUs.
    pub destination: Destination,
    /// How they are to take it.
    pub delivery: DeliveryMode,
    /// Edge or level.
    pub trigger: Trigger,
    /// The vector.
    pub vector: u8,
}

impl Compatibility {
    /// The message that says this.
    ///
    /// # Errors
    /// [`MessageError::DestinationTooWide`].
    pub fn encode(&self, addressing: Addressing) -> Result<Message, MessageError> {
        let destination = self.destination.id;
        let too_wide = MessageError::DestinationTooWide {
            destination,
            addressing,
        };
        let [low, above @ ..] = destination.to_le_bytes();
        let address = CompatibilityAddress::new()
            .with_prefix(PREFIX)
            .with_logical(self.destination.logical)
            .with_redirection_hint(self.destination.redirection_hint)
            .with_destination_7_0(low);
        let address = match (addressing, above) {
            (_, [0, 0, 0]) => address,
            (Addressing::Extended, [middle @ ..=0x7f, 0, 0]) => {
                address.with_destination_14_8(middle)
            }
            (Addressing::X2apic, _) => address.with_destination_31_8(destination >> 8),
            _ => return Err(too_wide),
        };
        let data = CompatibilityData::new()
            .with_vector(self.vector)
            .with_delivery(self.delivery.bits());
        let data = match self.trigger {
            Trigger::Edge => data,
            Trigger::Level { assert } => data.with_level(true).with_assert(assert),
        };
        Ok(Message {
            address: address.into_bits(),
            data: data.into_bits(),
        })
    }

    /// Reads a message whose address has the prefix and whose format bit is 0.
    pub(super) fn decode(message: Message, addressing: Addressing) -> Result<Self, MessageError> {
        let address = CompatibilityAddress::from_bits(message.address);
        let data = CompatibilityData::from_bits(message.data);
        Ok(Self {
            destination: Destination {
                id: destination(address, addressing)?,
                logical: address.logical(),
                redirection_hint: address.redirection_hint(),
            },
            delivery: delivery(data)?,
            trigger: if data.level() {
                Trigger::Level {
                    assert: data.assert(),
                }
            } else {
                Trigger::Edge
            },
            vector: data.vector(),
        })
    }
}

/// The destination, if only bits that this addressing has are set.
fn destination(address: CompatibilityAddress, addressing: Addressing) -> Result<u32, MessageError> {
    let low = u32::from(address.destination_7_0());
    let middle = u32::from(address.destination_14_8()) << 8;
    let high = address.destination_31_8() << 8;
    if address.reserved() != 0 || (high != 0 && addressing != Addressing::X2apic) {
        return Err(MessageError::HighHalf {
            address: address.into_bits(),
        });
    }
    match addressing {
        Addressing::Extended => Ok(middle | low),
        _ if middle != 0 => {
            let bits =
                CompatibilityAddress::new().with_destination_14_8(address.destination_14_8());
            Err(MessageError::ReservedAddress {
                bits: bits.into_bits(),
            })
        }
        Addressing::Xapic => Ok(low),
        Addressing::X2apic => Ok(high | low),
    }
}

/// The delivery mode, if no reserved bit of the data is set.
fn delivery(data: CompatibilityData) -> Result<DeliveryMode, MessageError> {
    let reserved = CompatibilityData::new()
        .with_reserved_13_11(data.reserved_13_11())
        .with_reserved_31_16(data.reserved_31_16())
        .into_bits();
    if reserved != 0 {
        return Err(MessageError::ReservedData { bits: reserved });
    }
    let mode = data.delivery();
    DeliveryMode::from_bits(mode).ok_or(MessageError::ReservedDeliveryMode { mode })
}
