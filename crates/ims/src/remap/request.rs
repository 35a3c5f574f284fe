// SPDX-License-Identifier: Apache-2.0 OR MIT
//! A message as the remap unit reads it: remappable format or compatibility
//! format (VT-d 5.1.2; SDM Vol. 3, 12.11).
//!
//! | address bits | remappable | compatibility |
//! |---|---|---|
//! | 31:20 | FEEh | FEEh |
//! | 19:12 | handle 14:7 | destination 7:0 |
//! | 11:5 | handle 6:0 | destination 14:8 (extended destination id) |
//! | 4 | 1 | 0 |
//! | 3 | SHV | redirection hint |
//! | 2 | handle 15 | logical |
//!
//! | data bits | remappable | compatibility |
//! |---|---|---|
//! | 31:16 | zero if SHV | ignored |
//! | 15 | subhandle 15 if SHV | level |
//! | 14 | subhandle 14 if SHV | assert (level only) |
//! | 10:8 | subhandle 10:8 if SHV | delivery mode |
//! | 7:0 | subhandle 7:0 if SHV | vector |

use crate::message::{DeliveryMode, Destination, Message};

/// A message, by its format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Request {
    Remappable(Remappable),
    Compatibility(Compatibility),
    /// A write to elsewhere: no interrupt request.
    Other,
}

/// A request that names an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Remappable {
    /// Handle plus subhandle: 17 bits.
    pub(super) index: u32,
    /// Bits that must be zero are not.
    pub(super) reserved: bool,
}

/// A request that names its CPU itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Compatibility {
    pub(super) destination: Destination,
    pub(super) vector: u8,
    /// `None` for a reserved delivery mode, or where the message takes a level
    /// back and so delivers nothing.
    pub(super) delivery: Option<DeliveryMode>,
}

impl Request {
    #[inline(always)]
    pub(super) fn decode(message: Message) -> Self {
        let Message { address, data } = message;
        if address >> 20 != 0xfee {
            return Self::Other;
        }
        let address = (address & 0xf_ffff) as u32;
        if address >> 4 & 1 == 0 {
            return Self::Compatibility(Compatibility::decode(address, data));
        }
        let handle = address >> 5 | (address >> 2 & 1) << 15;
        Self::Remappable(if address >> 3 & 1 == 0 {
            Remappable {
                index: handle,
                reserved: false,
            }
        } else {
            Remappable {
                index: handle + (data & 0xffff),
                reserved: data >> 16 != 0,
            }
        })
    }
}

impl Compatibility {
    fn decode(address: u32, data: u32) -> Self {
        let [vector, high, ..] = data.to_le_bytes();
        let takes_level_back = high >> 7 & 1 == 1 && high >> 6 & 1 == 0;
        Self {
            destination: Destination {
                id: address >> 12 & 0xff | (address >> 5 & 0x7f) << 8,
                logical: address >> 2 & 1 == 1,
                redirection_hint: address >> 3 & 1 == 1,
            },
            vector,
            delivery: if takes_level_back {
                None
            } else {
                delivery_mode(high & 7)
            },
        }
    }
}

/// The delivery mode of three bits; 3 and 6 are reserved.
#[inline]
pub(super) const fn delivery_mode(bits: u8) -> Option<DeliveryMode> {
    Some(match bits {
        0 => DeliveryMode::Fixed,
        1 => DeliveryMode::LowestPriority,
        2 => DeliveryMode::Smi,
        4 => DeliveryMode::Nmi,
        5 => DeliveryMode::Init,
        7 => DeliveryMode::ExtInt,
        _ => return None,
    })
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn decode(address: u64, data: u32) -> Request {
        Request::decode(Message { address, data })
    }

    #[test]
    fn every_handle_is_read_from_its_scattered_bits() {
        for handle in 0..=u64::from(u16::MAX) {
            let address = 0xfee0_0010 | (handle & 0x7fff) << 5 | (handle >> 15) << 2;
            let index = u32::try_from(handle).unwrap();
            let expected = Request::Remappable(Remappable {
                index,
                reserved: false,
            });
            // Without SHV the data does not matter, nor do address bits 1:0 ever.
            assert_eq!(decode(address | 3, 0xdead_beef), expected);
        }
    }

    #[test]
    fn a_subhandle_is_added_and_reserves_the_upper_half() {
        let address = 0xfee0_0018 | 7 << 5;
        let at = |index, reserved| Request::Remappable(Remappable { index, reserved });
        assert_eq!(decode(address, 5), at(12, false));
        assert_eq!(decode(address, 0x1_0005), at(12, true));
        assert_eq!(decode(0xfeef_fffc, 0xffff), at(0x1_fffe, false));
    }

    #[test]
    fn compatibility_format_names_cpu_vector_and_mode() {
        let expected = Compatibility {
            destination: Destination {
                id: 0x2a5a,
                logical: true,
                redirection_hint: true,
            },
            vector: 0x41,
            delivery: Some(DeliveryMode::LowestPriority),
        };
        let address = 0xfee5_a00c | 0x2a << 5;
        assert_eq!(decode(address, 0x4141), Request::Compatibility(expected));
        assert_eq!(decode(address, 0xc141), Request::Compatibility(expected));
        for undeliverable in [0x8141, 0x0341, 0x0641] {
            let nothing = Compatibility {
                delivery: None,
                ..expected
            };
            assert_eq!(
                decode(address, undeliverable),
                Request::Compatibility(nothing)
            );
        }
    }

    #[test]
    fn writes_elsewhere_are_no_requests() {
        for address in [0, 0xfed0_0010, 0xfef0_0010, 0x1_fee0_0010, u64::MAX] {
            assert_eq!(decode(address, 0), Request::Other);
        }
    }
}
